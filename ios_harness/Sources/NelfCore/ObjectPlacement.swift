import Foundation

/// How an object stands in a room, as a package for one says: how far it reaches, and how high it is.
public struct RoomSettings: Codable, Equatable, Sendable {
    /// How far below the orbit's target the object ends, in the scene's units.
    public let foot: Double
    /// How far above the orbit's target it ends.
    public let head: Double
    /// Height in the room that was asked for, in centimetres.
    public let sizeCm: Double?

    enum CodingKeys: String, CodingKey {
        case foot, head
        case sizeCm = "size_cm"
    }

    /// Key of these settings, as JSON, among the metadata that a package's author defined.
    public static let metadataKey = "mobile_nelf.room"

    /// Describes how an object stands.
    public init(foot: Double, head: Double, sizeCm: Double? = nil) {
        self.foot = foot
        self.head = head
        self.sizeCm = sizeCm
    }
}

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
    /// How far below the middle the object ends, in the scene's units.
    public let foot: Double
    /// Length of the scene's unit in the room.
    public let metersPerUnit: Double
    /// Middle of the object in the room.
    public private(set) var position = Vector3(0, 0, 0)
    /// Direction in the room, counter-clockwise from x, that the middle of the photos faces; radians.
    public private(set) var facing = 0.0

    /// - Parameters:
    ///   - room: How far the object reaches; as far as the ball that every photo shows whole if nil.
    ///   - sizeCm: Height of the object, in centimetres; if nil that of `room`. Without one it has its
    ///     true size where the contract tells it, and else the size that the photos show from a metre.
    public init(contract: Contract, room: RoomSettings? = nil, sizeCm: Double? = nil) {
        limits = contract.orbit
        intrinsics = contract.intrinsics
        ballRadius = contract.ballRadius
        foot = room?.foot ?? contract.ballRadius
        let height = foot + (room?.head ?? contract.ballRadius)
        metersPerUnit =
            (sizeCm ?? room?.sizeCm).map { $0 / 100 / height } ?? contract.metersPerUnit
            ?? 1 / contract.orbit.radius.middle
    }

    /// Stands the object's foot on a point, the middle of the photos towards a viewer.
    public mutating func stand(on point: Vector3, viewer: Vector3) {
        position = Vector3(point.x, point.y + foot * metersPerUnit, point.z)
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
