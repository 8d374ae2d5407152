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
        do {
            let model = try await content.device.model(item.model, units: item.units)
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
