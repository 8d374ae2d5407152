import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// Shows one pose after the other, as fast as the display and the model allow, and counts.
@MainActor
final class DisplayPacer {
    private let model: NelfModel
    private let poses: [Pose]
    private let screen: FrameScreen
    private let seconds: Double
    private var ticks: DisplayTicks?
    private var start: Double?
    private var begun = 0
    private var shown = 0
    private var counted = 0
    private var inFlight = 0
    private var continuation: CheckedContinuation<Double, any Error>?

    /// Counts frames on a screen for some seconds; nil if nobody can see it.
    ///
    /// - Throws: What a frame throws, or `CancellationError`.
    static func measure(
        _ model: NelfModel, poses: [Pose], on screen: FrameScreen, seconds: Double
    ) async throws -> DisplayRate? {
        guard screen.isVisible else { return nil }
        let pacer = DisplayPacer(model, poses, screen, seconds)
        let rate = try await withTaskCancellationHandler {
            try await pacer.run()
        } onCancel: {
            Task { @MainActor in pacer.finish(.failure(CancellationError())) }
        }
        return DisplayRate(framesPerSecond: rate, refreshRate: refreshRate())
    }

    private init(_ model: NelfModel, _ poses: [Pose], _ screen: FrameScreen, _ seconds: Double) {
        self.model = model
        self.poses = poses
        self.screen = screen
        self.seconds = seconds
    }

    private func run() async throws -> Double {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { continuation in
            self.continuation = continuation
            let ticks = DisplayTicks { [weak self] time in self?.tick(time) }
            ticks.start()
            self.ticks = ticks
        }
    }

    private func tick(_ time: Double) {
        let first = start ?? time
        start = first
        if time - first >= seconds {
            finish(.success(Double(counted) / (time - first)))
        } else if inFlight < NelfModel.framesInFlight {
            begun += 1
            inFlight += 1
            let (turn, pose) = (begun, poses[begun % poses.count])
            Task { await render(turn, pose) }
        }
    }

    private func render(_ turn: Int, _ pose: Pose) async {
        do {
            let frame = try await model.render(.camera(pose))
            if turn > shown, continuation != nil {
                shown = turn
                try screen.show(frame)
                counted += 1
            }
        } catch {
            finish(.failure(error))
        }
        inFlight -= 1
    }

    /// Ends the measurement once; later calls find nothing to end.
    private func finish(_ result: Result<Double, any Error>) {
        ticks?.stop()
        ticks = nil
        continuation?.resume(with: result)
        continuation = nil
    }
}
