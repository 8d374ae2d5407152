import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// Start, progress, results and the share sheet.
struct BenchmarkView: View {
    @ObservedObject var session: BenchSession
    @Environment(\.scenePhase) private var scenePhase
    @State private var isFull = true

    private var options: BenchOptions { isFull ? .full : .quick }

    var body: some View {
        VStack(alignment: .leading, spacing: 16) {
            Toggle("With runs of 1 and 5 minutes that show what heat does", isOn: $isFull)
                .disabled(session.isRunning)
            HStack {
                if session.isRunning {
                    Button("Stop", role: .destructive) { session.stop() }
                    ProgressView(value: session.progress)
                } else {
                    Button("Start") { session.start(options) }
                        .buttonStyle(.borderedProminent)
                    Text("takes \(leastMinutes) minutes or more; stay in the app, unplugged")
                        .foregroundStyle(.secondary)
                }
            }
            Text(session.status)
            if session.isRunning {
                // The display rate is that of this picture.
                FrameScreenView(session.content.screen)
                    .aspectRatio(1, contentMode: .fit)
                    .frame(maxHeight: 320)
            }
            ResultTable(runs: session.runs)
            if let file = session.file {
                ShareLink("Share results", item: file)
            }
        }
        .padding()
        .onChange(of: scenePhase) { _, phase in
            // In the background the system takes the GPU away and slows the rest.
            if phase == .background {
                session.stop()
            }
        }
    }

    private var leastMinutes: Int {
        let runs = benchPlan(session.content.config).count
        return Int((Double(runs) * options.leastSeconds / 60).rounded(.up))
    }
}
