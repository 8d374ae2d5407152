import Foundation

/// An object that stands in a room, and what a viewer there sees of it.
///
/// The room's frame is ARKit's: y up, metres. The picture is drawn as it was trained, at its spacing
/// of rays from a camera that looks at the object's middle, and lies on a rectangle there that faces
/// the viewer. Rays from the viewer through the points of that rectangle are those of the picture, so
/// where the phone looks does not matter. Closer or further away than the photos were taken the
/// rectangle keeps the size of the nearest trained distance, and is seen larger or smaller.
public struct ObjectPlacement: Equatable, Sendable {
    /// Where the network knows the object from.
    public let limits: OrbitLimits
    /// Lens of the picture, in pixels.
    public let intrinsics: Intrinsics
    /// Of the ball that every photo shows whole, in the scene's units.
    public let ballRadius: Double
    /// Length of the scene's unit in the room.
    public let metersPerUnit: Double
    /// Middle of the object in the room.
    public private(set) var position = Vector3(0, 0, 0)
    /// Direction in the room, counter-clockwise from x, that the middle of the photos faces; radians.
    public private(set) var facing = 0.0

    /// Diameter of the ball that every photo shows whole, in centimetres, where nobody knows the true
    /// size.
    public static let usualSizeCm = 30.0

    /// - Parameter sizeCm: Diameter of the ball that every photo shows whole, in centimetres; the true
    ///   one if nil and the contract tells it.
    public init(contract: Contract, sizeCm: Double? = nil) {
        limits = contract.orbit
        intrinsics = contract.intrinsics
        ballRadius = contract.ballRadius
        let usual = (sizeCm ?? Self.usualSizeCm) / 100 / (2 * contract.ballRadius)
        metersPerUnit = sizeCm == nil ? contract.metersPerUnit ?? usual : usual
    }

    /// Stands the object on a point, the middle of the photos towards a viewer.
    public mutating func stand(on point: Vector3, viewer: Vector3) {
        position = Vector3(point.x, point.y + ballRadius * metersPerUnit, point.z)
        facing = Self.angle(viewer - position)
    }

    /// What a viewer at a point of the room sees; nil from within the object.
    public func view(from viewer: Vector3) -> ObjectView? {
        let away = viewer - position
        let distance = away.length / metersPerUnit
        guard distance > ballRadius else { return nil }
        let angle = Self.angle(away)
        // The shorter way round from the middle of the photos.
        let turned = remainder(angle - facing, 2 * .pi) * 180 / .pi
        let orbit = limits.clamped(
            OrbitPosition(
                azimuth: limits.azimuth.middle + turned,
                elevation: asin(min(max(away.y / away.length, -1), 1)) * 180 / .pi,
                radius: distance))
        let back = away.normalized
        let right = Vector3(-sin(angle), 0, -cos(angle))
        let up = back.cross(right)
        // The plane through the target, as the camera at the trained distance sees it.
        let meters = orbit.radius * metersPerUnit
        let aside = (Double(intrinsics.width) / 2 - intrinsics.cx) / intrinsics.fx * meters
        let below = (Double(intrinsics.height) / 2 - intrinsics.cy) / intrinsics.fy * meters
        return ObjectView(
            orbit: orbit, center: position + right * aside - up * below, right: right, up: up,
            normal: back, width: Double(intrinsics.width) / intrinsics.fx * meters,
            height: Double(intrinsics.height) / intrinsics.fy * meters)
    }

    /// Counter-clockwise about y from x, as azimuths are about the scene's up.
    private static func angle(_ vector: Vector3) -> Double { atan2(-vector.z, vector.x) }
}

/// A rectangle in a room and the picture that belongs on it.
public struct ObjectView: Equatable, Sendable {
    /// Which picture.
    public let orbit: OrbitPosition
    /// Of the rectangle, room frame, metres.
    public let center: Vector3
    /// Unit vectors along columns, upwards and towards the viewer, room frame.
    public let right: Vector3
    /// Along columns, upwards.
    public let up: Vector3
    /// Towards the viewer.
    public let normal: Vector3
    /// Metres.
    public let width: Double
    /// Metres.
    public let height: Double
}
