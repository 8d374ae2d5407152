import Foundation

/// Turns drags and pinches on a view into orbit positions inside the limits.
public struct OrbitGesture: Sendable {
    /// A drag across the whole view turns by this much.
    public static let degreesPerView = 180.0
    /// How far a pinch enlarges what the nearest photos show.
    public static let maxZoom = 4.0

    /// What positions are clamped to.
    public let limits: OrbitLimits
    /// Where the viewer is.
    public private(set) var position: OrbitPosition
    /// How much the picture is enlarged: 1 as far as photos were taken, more from closer.
    public private(set) var zoom = 1.0
    // Each gesture counts from where it began, so that the end of one leaves the other alone.
    private var dragStart: (position: OrbitPosition, zoom: Double)?
    private var pinchStart: Double?

    /// Starts in the middle of the limits.
    public init(limits: OrbitLimits) {
        self.limits = limits
        position = limits.middle
    }

    /// The camera there.
    public var pose: Pose { limits.pose(position) }

    /// Whether fingers are on the screen.
    public var isHeld: Bool { dragStart != nil || pinchStart != nil }

    /// Follows a finger that has moved by `dx` and `dy` points since it went down, on a view of
    /// `size` points. The object turns with the finger, so the camera goes the other way.
    public mutating func drag(dx: Double, dy: Double, size: Double) {
        let start = dragStart ?? (position, zoom)
        dragStart = start
        let degrees = Self.degreesPerView / max(size, 1) / start.zoom
        position = limits.clamped(
            OrbitPosition(
                azimuth: start.position.azimuth - dx * degrees,
                elevation: start.position.elevation + dy * degrees, radius: position.radius))
    }

    /// Ends a drag; the next one counts from here.
    public mutating func endDrag() { dragStart = nil }

    /// Follows a pinch that has scaled by `scale` since it began. Closer than photos were taken the
    /// nearest of their pictures is enlarged, for the network knows no other.
    public mutating func pinch(scale: Double) {
        let start = pinchStart ?? position.radius / zoom
        pinchStart = start
        let distance = start / max(scale, 0.01)
        position.radius = limits.radius.clamped(distance)
        zoom = min(max(limits.radius.low / distance, 1), Self.maxZoom)
    }

    /// Ends a pinch; the next one counts from here.
    public mutating func endPinch() { pinchStart = nil }

    /// Turns the object by some degrees; returns whether it could.
    @discardableResult
    public mutating func turn(by degrees: Double) -> Bool {
        var turned = position
        turned.azimuth += degrees
        turned = limits.clamped(turned)
        defer { position = turned }
        return turned != position
    }
}

/// Turns an object that is left alone, back and forth where photos do not go all round.
public struct Turntable: Sendable {
    /// How long an object is left alone before it turns.
    public static let patienceSeconds = 4.0
    /// How fast it turns.
    public static let degreesPerSecond = 15.0

    private var idle = 0.0
    private var direction = 1.0

    /// Waits from now on.
    public init() {}

    /// Lets time pass; returns whether it turned the object.
    public mutating func advance(_ seconds: Double, _ gesture: inout OrbitGesture) -> Bool {
        idle = gesture.isHeld ? 0 : idle + seconds
        guard idle > Self.patienceSeconds else { return false }
        if !gesture.turn(by: direction * Self.degreesPerSecond * seconds) {
            direction = -direction
        }
        return true
    }
}
