import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// Shipped frames beside those of this device.
struct SelfCheckView: View {
    private let config: BenchConfig
    @StateObject private var check: SelfCheckModel

    init(content: BenchContent) {
        config = content.config
        _check = StateObject(wrappedValue: SelfCheckModel(content: content))
    }

    var body: some View {
        VStack(alignment: .leading) {
            HStack {
                ItemPicker(config: config, item: $check.item)
                Button("Compare") { Task { await check.run() } }
                    .buttonStyle(.borderedProminent)
            }
            .disabled(check.isRunning)
            Text(check.message)
            List(check.comparisons) { comparison in
                HStack {
                    titled("trained network", comparison.reference)
                    titled("this device", comparison.picture)
                    Text("\(figure(comparison.decibels, digits: 1)) dB")
                        .monospacedDigit()
                }
            }
        }
        .padding()
    }

    private func titled(_ title: String, _ picture: Picture?) -> some View {
        VStack {
            if let picture {
                Image(decorative: picture.image, scale: 1)
                    .resizable()
                    .scaledToFit()
                    .frame(maxHeight: 240)
            }
            Text(title)
                .font(.caption)
        }
    }
}
