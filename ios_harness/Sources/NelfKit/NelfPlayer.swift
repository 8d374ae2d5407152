import Combine
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Follows fingers, turns an object that is left alone, and shows a frame for each new viewpoint.
@MainActor
public final class NelfPlayer: ObservableObject {
    /// Frames a second on the screen, while something moves.
    @Published public private(set) var framesPerSecond: Double?
    /// How much a view enlarges the picture; see `OrbitGesture.zoom`.
    @Published public private(set) var zoom = 1.0
    /// Why the last frame failed; empty if it did not.
    @Published public private(set) var message = ""

    /// What is shown.
    public let model: NelfModel
    /// Where it is shown.
    public let screen: FrameScreen
    /// Whether an object that is left alone turns by itself.
    public var turnsWhenIdle: Bool

    private var gesture: OrbitGesture
    private var turntable = Turntable()
    private var ticks: DisplayTicks?
    private var lastTick: Double?
    /// The viewpoint of the last frame that was begun.
    private var begun: OrbitPosition?
    private var number = 0
    private var shown = 0
    private var inFlight = 0
    private var recent: [Double] = []

    /// Frames further apart than this belong to different movements.
    private static let pauseSeconds = 0.5
    /// The rate is that of so many last frames.
    private static let recentFrames = 20

    /// - Parameters:
    ///   - model: What is shown.
    ///   - screen: Where it is shown; one of its own if nil.
    ///   - turnsWhenIdle: Whether it turns by itself when it is left alone.
    public init(model: NelfModel, screen: FrameScreen? = nil, turnsWhenIdle: Bool = true) {
        self.model = model
        self.screen = screen ?? FrameScreen()
        self.turnsWhenIdle = turnsWhenIdle
        gesture = OrbitGesture(limits: model.contract.orbit)
    }

    /// Where the viewer is.
    public var position: OrbitPosition { gesture.position }

    /// Shows frames from now on.
    public func start() {
        guard ticks == nil else { return }
        begun = nil
        let ticks = DisplayTicks { [weak self] time in self?.tick(time) }
        ticks.start()
        self.ticks = ticks
    }

    /// Shows no more frames; must be called when the view goes.
    public func stop() {
        ticks?.stop()
        ticks = nil
        lastTick = nil
        recent.removeAll()
    }

    /// See `OrbitGesture.drag`.
    public func drag(dx: Double, dy: Double, size: Double) {
        gesture.drag(dx: dx, dy: dy, size: size)
    }

    /// The finger that dragged left.
    public func endDrag() { gesture.endDrag() }

    /// See `OrbitGesture.pinch`.
    public func pinch(scale: Double) {
        gesture.pinch(scale: scale)
        zoom = gesture.zoom
    }

    /// The fingers that pinched left.
    public func endPinch() { gesture.endPinch() }

    private func tick(_ time: Double) {
        let seconds = min(time - (lastTick ?? time), 0.1)
        lastTick = time
        if turnsWhenIdle {
            _ = turntable.advance(seconds, &gesture)
        }
        guard gesture.position != begun, inFlight < NelfModel.framesInFlight else { return }
        begun = gesture.position
        number += 1
        inFlight += 1
        let (turn, pose) = (number, gesture.pose)
        Task { await render(turn, pose) }
    }

    private func render(_ turn: Int, _ pose: Pose) async {
        do {
            let frame = try await model.render(.camera(pose))
            // Of two frames in flight the later may be ready first.
            if turn > shown, ticks != nil {
                shown = turn
                try screen.show(frame)
                count()
                if !message.isEmpty { message = "" }
            }
        } catch is CancellationError {
        } catch {
            message = error.localizedDescription
        }
        inFlight -= 1
    }

    private func count() {
        let now = ProcessInfo.processInfo.systemUptime
        if let last = recent.last, now - last > Self.pauseSeconds {
            recent.removeAll()
        }
        recent.append(now)
        recent = recent.suffix(Self.recentFrames)
        if let first = recent.first, recent.count > 1 {
            framesPerSecond = Double(recent.count - 1) / (now - first)
        }
    }
}
