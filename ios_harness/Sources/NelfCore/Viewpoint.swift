/// From where a light field is looked at.
public enum Viewpoint: Equatable, Sendable {
    /// On the sphere around the object: angles in degrees; the radius in the scene's units, the
    /// middle of the trained ones if nil. What lies outside of the photos is clamped.
    case orbit(azimuth: Double, elevation: Double, radius: Double? = nil)
    /// A camera anywhere, world frame; nothing is clamped.
    case camera(Pose)

    /// The camera that stands there.
    public func pose(_ limits: OrbitLimits) -> Pose {
        switch self {
        case .camera(let pose): return pose
        case .orbit(let azimuth, let elevation, let radius):
            return limits.pose(
                limits.clamped(
                    OrbitPosition(
                        azimuth: azimuth, elevation: elevation,
                        radius: radius ?? limits.radius.middle)))
        }
    }
}
