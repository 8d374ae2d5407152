import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// The light field: drag to orbit, pinch to come closer.
struct LiveView: View {
    private let config: BenchConfig
    @StateObject private var live: LiveModel

    init(content: BenchContent) {
        config = content.config
        _live = StateObject(wrappedValue: LiveModel(content: content))
    }

    var body: some View {
        VStack {
            ItemPicker(config: config, item: $live.item)
            if let player = live.player {
                picture(player)
            } else {
                Text(live.message)
                    .frame(maxWidth: .infinity, maxHeight: .infinity)
            }
        }
        .padding()
        .task(id: live.item) { await live.load() }
        .onDisappear { live.unload() }
    }

    @ViewBuilder
    private func picture(_ player: NelfPlayer) -> some View {
        #if canImport(ARKit) && !os(visionOS) && !os(macOS)
        if config.experience == .world {
            NelfARView(model: player.model)
                .id(ObjectIdentifier(player))
        } else {
            orbit(player)
        }
        #else
        orbit(player)
        #endif
    }

    private func orbit(_ player: NelfPlayer) -> some View {
        VStack {
            NelfView(player: player)
            RateLabel(player: player)
        }
        .id(ObjectIdentifier(player))
    }
}

private struct RateLabel: View {
    @ObservedObject var player: NelfPlayer

    var body: some View {
        Text(
            player.framesPerSecond.map { "\(figure($0, digits: 1)) pictures a second" } ?? " "
        )
        .monospacedDigit()
    }
}
