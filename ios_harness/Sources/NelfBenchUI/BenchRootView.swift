import SwiftUI

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// The whole app: a live view, the benchmark and the self-check.
public struct BenchRootView: View {
    @MainActor private static let content = Result { try BenchContent.load() }

    public init() {}

    public var body: some View {
        switch Self.content {
        case .success(let content):
            BenchTabs(content: content)
        case .failure(let error):
            ContentUnavailableView(
                "The app is not complete", systemImage: "exclamationmark.triangle",
                description: Text(error.localizedDescription))
        }
    }
}

/// One tab at a time uses the device, since a second model would change what the first one shows.
struct BenchTabs: View {
    let content: BenchContent
    @StateObject private var session: BenchSession

    init(content: BenchContent) {
        self.content = content
        _session = StateObject(wrappedValue: BenchSession(content: content))
    }

    var body: some View {
        TabView {
            unlessMeasuring { LiveView(content: content) }
                .tabItem { Label("Live", systemImage: "rotate.3d") }
            BenchmarkView(session: session)
                .tabItem { Label("Benchmark", systemImage: "gauge") }
            unlessMeasuring { SelfCheckView(content: content) }
                .tabItem { Label("Self-check", systemImage: "checkmark.seal") }
        }
    }

    @ViewBuilder
    private func unlessMeasuring<Content: View>(
        @ViewBuilder _ view: () -> Content
    ) -> some View {
        if session.isRunning {
            ContentUnavailableView(
                "Benchmark running", systemImage: "gauge",
                description: Text("Anything else on the device would change its figures."))
        } else {
            view()
        }
    }
}
