import Combine
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif
#if canImport(NelfBenchCoreML)
import NelfBenchCoreML
#endif

/// Renders the pose that the fingers ask for, one frame at a time.
@MainActor
final class LiveModel: ObservableObject {
    @Published private(set) var picture: Picture?
    /// Frames a second from one picture on the screen to the next, while something moves.
    @Published private(set) var framesPerSecond: Double?
    @Published private(set) var message = "Loading model…"
    @Published var item: BenchItem

    private let content: BenchContent
    private var gesture: OrbitGesture
    private var predictor: (any FramePredictor)?
    private var isRendering = false
    private var isOutdated = false
    private var recent: [TimeInterval] = []

    /// Pictures further apart than this belong to different movements.
    private static let pauseSeconds = 0.5
    /// The rate is that of so many last pictures.
    private static let recentPictures = 20

    init(content: BenchContent) {
        self.content = content
        item = content.firstItem
        gesture = OrbitGesture(limits: content.config.contract.orbit)
    }

    /// Loads the chosen model and shows its first picture.
    func load() async {
        unload()
        message = "Loading model…"
        do {
            let loaded = try await content.device.load(item.model, units: item.units)
            // Another choice may have been made meanwhile; its own task loads that.
            guard !Task.isCancelled else { return }
            predictor = loaded
            message = ""
            await renderWhileOutdated()
        } catch {
            message = error.localizedDescription
        }
    }

    func unload() {
        predictor = nil
        isOutdated = true
        framesPerSecond = nil
        recent.removeAll()
    }

    func drag(dx: Double, dy: Double, size: Double) {
        gesture.drag(dx: dx, dy: dy, size: size)
        Task { await renderWhileOutdated(markFirst: true) }
    }

    func pinch(scale: Double) {
        gesture.pinch(scale: scale)
        Task { await renderWhileOutdated(markFirst: true) }
    }

    func release() {
        gesture.release()
    }

    private func renderWhileOutdated(markFirst: Bool = false) async {
        isOutdated = isOutdated || markFirst
        guard !isRendering else { return }
        isRendering = true
        defer { isRendering = false }
        while isOutdated, let predictor {
            isOutdated = false
            do {
                picture = try await Self.render(
                    predictor, contract: content.config.contract, pose: gesture.pose)
                countPicture()
            } catch {
                message = error.localizedDescription
            }
        }
    }

    /// Off the main thread, which only shows.
    private nonisolated static func render(
        _ predictor: any FramePredictor, contract: Contract, pose: Pose
    ) async throws -> Picture {
        _ = try await predictor.predict(Uploads(contract: contract, pose: pose))
        return try Picture(await predictor.output())
    }

    private func countPicture() {
        let now = ProcessInfo.processInfo.systemUptime
        if let last = recent.last, now - last > Self.pauseSeconds {
            recent.removeAll()
        }
        recent.append(now)
        recent = recent.suffix(Self.recentPictures)
        if let first = recent.first, recent.count > 1 {
            framesPerSecond = Double(recent.count - 1) / (now - first)
        }
    }
}
