import Foundation

/// The part of a sphere from which the training photos were taken; a student knows nothing outside.
/// Angles are in degrees, lengths in the scene's units, vectors in the world frame.
public struct OrbitLimits: Codable, Equatable, Sendable {
    /// Point that the cameras circle.
    public let target: Vector3
    /// Unit vector that stays upright on the screen.
    public let up: Vector3
    /// Lowest and highest azimuth; 360 apart if the photos go all round.
    public let azimuth: ClosedSpan
    /// Lowest and highest elevation above the horizon.
    public let elevation: ClosedSpan
    /// Smallest and largest distance from the target.
    public let radius: ClosedSpan

    /// Takes what photos were taken from.
    public init(
        target: Vector3, up: Vector3, azimuth: ClosedSpan, elevation: ClosedSpan, radius: ClosedSpan
    ) {
        self.target = target
        self.up = up
        self.azimuth = azimuth
        self.elevation = elevation
        self.radius = radius
    }

    /// Whether the azimuth may wrap around.
    public var fullTurn: Bool { azimuth.length >= 360 }

    /// The middle of all ranges.
    public var middle: OrbitPosition {
        OrbitPosition(
            azimuth: azimuth.middle, elevation: elevation.middle, radius: radius.middle)
    }

    /// The axes of azimuth 0 and 90 degrees, and up.
    public var basis: (first: Vector3, second: Vector3, up: Vector3) {
        let seed = abs(up.x) < 0.9 ? Vector3(1, 0, 0) : Vector3(0, 1, 0)
        let first = (seed - up * seed.dot(up)).normalized
        return (first, up.cross(first), up)
    }

    /// The pose at an orbit position. The camera's x axis follows the azimuth, so the picture turns
    /// smoothly up to the pole.
    public func pose(_ position: OrbitPosition) -> Pose {
        let a = position.azimuth * .pi / 180
        let e = position.elevation * .pi / 180
        let (first, second, up) = basis
        let right = first * -sin(a) + second * cos(a)
        let back = first * (cos(e) * cos(a)) + second * (cos(e) * sin(a)) + up * sin(e)
        return Pose(
            right: right, up: back.cross(right), back: back,
            position: target + back * position.radius)
    }

    /// `count` positions along a turn at the middle elevation, which swings over half its range. A
    /// full turn ends one step before its start, so a loop does not stutter.
    public func sweep(_ count: Int) -> [OrbitPosition] {
        let steps = fullTurn ? count : max(count - 1, 1)
        return (0..<count).map { index in
            let turn = Double(index) / Double(steps)
            return OrbitPosition(
                azimuth: azimuth.low + turn * azimuth.length,
                elevation: elevation.middle + 0.25 * elevation.length * sin(2 * .pi * turn),
                radius: radius.middle)
        }
    }

    /// The nearest position inside the limits; the azimuth wraps where the photos go all round.
    public func clamped(_ position: OrbitPosition) -> OrbitPosition {
        var wrapped = position.azimuth
        if fullTurn {
            let turns = ((wrapped - azimuth.low) / 360).rounded(.down)
            wrapped -= 360 * turns
        }
        return OrbitPosition(
            azimuth: azimuth.clamped(wrapped),
            elevation: elevation.clamped(position.elevation),
            radius: radius.clamped(position.radius))
    }
}

/// A place on an orbit: angles in degrees, radius in the scene's units.
public struct OrbitPosition: Equatable, Sendable {
    /// Degrees, counter-clockwise about the orbit's up.
    public var azimuth: Double
    /// Degrees above the horizon.
    public var elevation: Double
    /// Distance from the orbit's target, in the scene's units.
    public var radius: Double

    /// Takes a place on an orbit.
    public init(azimuth: Double, elevation: Double, radius: Double) {
        self.azimuth = azimuth
        self.elevation = elevation
        self.radius = radius
    }
}

/// Two numbers in ascending order; a list of two in JSON.
public struct ClosedSpan: Equatable, Sendable {
    /// The smaller one.
    public let low: Double
    /// The larger one.
    public let high: Double

    /// Takes the ends in ascending order.
    public init(_ low: Double, _ high: Double) {
        self.low = low
        self.high = high
    }

    /// From end to end.
    public var length: Double { high - low }

    /// Half-way between the ends.
    public var middle: Double { (low + high) / 2 }

    /// The nearest number between the ends.
    public func clamped(_ value: Double) -> Double { min(max(value, low), high) }
}

extension ClosedSpan: Codable {
    public init(from decoder: Decoder) throws {
        let numbers = try [Double](from: decoder)
        guard numbers.count == 2, numbers[0] <= numbers[1] else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "expected 2 ascending numbers, found \(numbers)"))
        }
        self.init(numbers[0], numbers[1])
    }

    public func encode(to encoder: Encoder) throws {
        try [low, high].encode(to: encoder)
    }
}
