import Combine
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// Loads the chosen model for the live view.
@MainActor
final class LiveModel: ObservableObject {
    @Published private(set) var player: NelfPlayer?
    /// Why the picture is missing; empty if it is shown.
    @Published private(set) var message = ""
    @Published var item: BenchItem

    private let content: BenchContent

    init(content: BenchContent) {
        self.content = content
        item = content.firstItem
    }

    func load() async {
        unload()
        message = "Loads the model"
        // For a moment after the choice of another model the encoder may be that of the last one.
        var possible = item
        let encoders = InputEncoder.available(for: content.config.contract(of: item.model))
        if !encoders.contains(item.encoder) { possible.encoder = encoders[0] }
        do {
            let model = try await content.device.model(possible)
            // Another choice may have been made meanwhile; its own task loads that.
            guard !Task.isCancelled else { return }
            player = NelfPlayer(model: model)
            message = ""
        } catch {
            message = error.localizedDescription
        }
    }

    func unload() {
        player?.stop()
        player = nil
    }
}
