import Foundation

/// Turns drags and pinches on a view into orbit positions inside the limits.
public struct OrbitGesture: Sendable {
    /// A drag across the whole view turns by this much.
    public static let degreesPerView = 180.0

    public let limits: OrbitLimits
    public private(set) var position: OrbitPosition
    private var anchor: OrbitPosition

    /// Starts in the middle of the limits.
    public init(limits: OrbitLimits) {
        self.limits = limits
        position = OrbitPosition(
            azimuth: limits.azimuth.middle, elevation: limits.elevation.middle,
            radius: limits.radius.middle)
        anchor = position
    }

    public var pose: Pose { limits.pose(position) }

    /// Follows a finger that has moved by `dx` and `dy` points since it went down, on a view of
    /// `size` points. The object turns with the finger, so the camera goes the other way.
    public mutating func drag(dx: Double, dy: Double, size: Double) {
        let degrees = Self.degreesPerView / max(size, 1)
        position = limits.clamped(
            OrbitPosition(
                azimuth: anchor.azimuth - dx * degrees,
                elevation: anchor.elevation + dy * degrees,
                radius: position.radius))
    }

    /// Follows a pinch that has scaled by `scale` since it began.
    public mutating func pinch(scale: Double) {
        var closer = position
        closer.radius = anchor.radius / max(scale, 0.01)
        position = limits.clamped(closer)
    }

    /// Ends the gesture; the next one starts from here.
    public mutating func release() {
        anchor = position
    }
}
