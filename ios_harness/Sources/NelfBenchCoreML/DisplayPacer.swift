#if canImport(UIKit)
import Foundation
import QuartzCore
import UIKit

/// Starts a frame at each tick of the display, and none while the last one still runs.
@MainActor
final class DisplayPacer: NSObject {
    private let seconds: Double
    private let frame: @Sendable () async throws -> Void
    private var link: CADisplayLink?
    private var start: CFTimeInterval?
    private var frames = 0
    private var isBusy = false
    private var continuation: CheckedContinuation<Double, Error>?

    /// Counts for `seconds` and returns frames a second; throws what a frame throws.
    static func measure(
        seconds: Double, frame: @escaping @Sendable () async throws -> Void
    ) async throws -> Double {
        let pacer = DisplayPacer(seconds: seconds, frame: frame)
        return try await withTaskCancellationHandler {
            try await pacer.run()
        } onCancel: {
            Task { @MainActor in pacer.finish(.failure(CancellationError())) }
        }
    }

    private init(seconds: Double, frame: @escaping @Sendable () async throws -> Void) {
        self.seconds = seconds
        self.frame = frame
    }

    private func run() async throws -> Double {
        try Task.checkCancellation()
        return try await withCheckedThrowingContinuation { continuation in
            self.continuation = continuation
            let link = CADisplayLink(target: self, selector: #selector(tick))
            // The system lowers it to what the display has.
            link.preferredFrameRateRange = CAFrameRateRange(
                minimum: 30, maximum: 120, preferred: 120)
            link.add(to: .main, forMode: .common)
            self.link = link
        }
    }

    @objc private func tick(_ link: CADisplayLink) {
        let first = start ?? link.timestamp
        start = first
        let elapsed = link.timestamp - first
        if elapsed >= seconds {
            finish(.success(Double(frames) / elapsed))
        } else if !isBusy {
            isBusy = true
            Task { await renderOne() }
        }
    }

    private func renderOne() async {
        do {
            try await frame()
            frames += 1
        } catch {
            finish(.failure(error))
        }
        isBusy = false
    }

    /// Ends the measurement once; later calls find nothing to end.
    private func finish(_ result: Result<Double, Error>) {
        link?.invalidate()
        link = nil
        continuation?.resume(with: result)
        continuation = nil
    }
}
#endif
