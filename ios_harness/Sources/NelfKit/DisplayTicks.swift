import Foundation

#if canImport(ObjectiveC)
import QuartzCore
#if canImport(AppKit) && !canImport(UIKit)
import AppKit
#endif

/// Calls back at each refresh of the display.
@MainActor
public final class DisplayTicks: NSObject {
    private let body: @MainActor (Double) -> Void
    private var link: CADisplayLink?

    /// - Parameter body: Takes the time of the last refresh in seconds of a clock that goes forwards.
    public init(_ body: @escaping @MainActor (Double) -> Void) {
        self.body = body
    }

    /// Calls back from now on.
    public func start() {
        guard link == nil else { return }
        #if canImport(AppKit) && !canImport(UIKit)
        let link = NSScreen.main?.displayLink(target: self, selector: #selector(tick))
        #else
        let link: CADisplayLink? = CADisplayLink(target: self, selector: #selector(tick))
        #endif
        // The system lowers it to what the display has.
        link?.preferredFrameRateRange = CAFrameRateRange(minimum: 30, maximum: 120, preferred: 120)
        link?.add(to: .main, forMode: .common)
        self.link = link
    }

    /// Must be called: a running link keeps its target.
    public func stop() {
        link?.invalidate()
        link = nil
    }

    @objc private func tick(_ link: CADisplayLink) { body(link.timestamp) }
}
#else

/// Calls back sixty times a second on systems without a display link.
@MainActor
public final class DisplayTicks {
    private let body: @MainActor (Double) -> Void
    private var task: Task<Void, Never>?

    /// Takes what is called, with the time in seconds of a clock that goes forwards.
    public init(_ body: @escaping @MainActor (Double) -> Void) {
        self.body = body
    }

    /// Calls back from now on.
    public func start() {
        guard task == nil else { return }
        let body = body
        task = Task { @MainActor in
            while !Task.isCancelled {
                body(ProcessInfo.processInfo.systemUptime)
                try? await Task.sleep(nanoseconds: 16_666_667)
            }
        }
    }

    /// Calls back no more.
    public func stop() {
        task?.cancel()
        task = nil
    }
}
#endif
