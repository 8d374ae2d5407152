import Foundation

/// A vector in the world frame, in the scene's units; three numbers in JSON.
public struct Vector3: Equatable, Sendable {
    /// First component.
    public var x: Double
    /// Second component.
    public var y: Double
    /// Third component.
    public var z: Double

    /// Takes the components.
    public init(_ x: Double, _ y: Double, _ z: Double) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// All three in their order.
    public var components: [Double] { [x, y, z] }

    /// Euclidean length.
    public var length: Double { dot(self).squareRoot() }

    /// The same direction in unit length.
    public var normalized: Vector3 { self / length }

    /// Scalar product.
    public func dot(_ other: Vector3) -> Double {
        x * other.x + y * other.y + z * other.z
    }

    /// Vector product.
    public func cross(_ other: Vector3) -> Vector3 {
        Vector3(
            y * other.z - z * other.y,
            z * other.x - x * other.z,
            x * other.y - y * other.x)
    }

    /// Sum of two vectors.
    public static func + (left: Vector3, right: Vector3) -> Vector3 {
        Vector3(left.x + right.x, left.y + right.y, left.z + right.z)
    }

    /// Difference of two vectors.
    public static func - (left: Vector3, right: Vector3) -> Vector3 {
        Vector3(left.x - right.x, left.y - right.y, left.z - right.z)
    }

    /// The vector made longer by a factor.
    public static func * (vector: Vector3, factor: Double) -> Vector3 {
        Vector3(vector.x * factor, vector.y * factor, vector.z * factor)
    }

    /// The vector made shorter by a divisor.
    public static func / (vector: Vector3, divisor: Double) -> Vector3 {
        Vector3(vector.x / divisor, vector.y / divisor, vector.z / divisor)
    }

    /// The opposite vector.
    public static prefix func - (vector: Vector3) -> Vector3 {
        vector * -1
    }
}

extension Vector3: Codable {
    public init(from decoder: Decoder) throws {
        let numbers = try [Double](from: decoder)
        guard numbers.count == 3 else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath,
                    debugDescription: "expected 3 numbers, found \(numbers.count)"))
        }
        self.init(numbers[0], numbers[1], numbers[2])
    }

    public func encode(to encoder: Encoder) throws {
        try components.encode(to: encoder)
    }
}
