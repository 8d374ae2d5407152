import Foundation

/// What a host must upload and what it gets back: the part of the bundle's contract that an app
/// needs. Everything is in one place, so nothing here may be assumed elsewhere.
public struct Contract: Codable, Equatable, Sendable {
    public let layout: InputLayout
    public let inputs: [TensorSpec]
    public let output: TensorSpec
    public let outputForm: OutputForm
    public let student: StudentSettings
    /// Lens of the reference frames, on the image's pixel grid.
    public let intrinsics: Intrinsics
    public let orbit: OrbitLimits

    enum CodingKeys: String, CodingKey {
        case layout, inputs, output, student, intrinsics, orbit
        case outputForm = "output_form"
    }

    /// The camera of the ray grid at a pose.
    public func rayCamera(_ pose: Pose) -> Camera {
        Camera(
            pose: pose,
            intrinsics: intrinsics.resized(width: student.rayWidth, height: student.rayHeight))
    }
}

/// One tensor at the border of a model, float32.
public struct TensorSpec: Codable, Equatable, Sendable {
    public let name: String
    /// [1, channels, rows, columns].
    public let shape: [Int]

    public init(name: String, shape: [Int]) {
        self.name = name
        self.shape = shape
    }

    public var count: Int { shape.reduce(1, *) }
}

/// What a model returns: the tensor of the contract, or an 8-bit picture.
public enum OutputForm: String, Codable, Sendable {
    case tensor, image
}

/// The student's ray grid and how its rays are sampled.
public struct StudentSettings: Codable, Equatable, Sendable {
    public let encoder: EncoderSettings
    public let rayWidth: Int
    public let rayHeight: Int

    enum CodingKeys: String, CodingKey {
        case encoder
        case rayWidth = "ray_width"
        case rayHeight = "ray_height"
    }
}

/// How a ray becomes input channels; depths are along the optical axis, in the scene's units.
public struct EncoderSettings: Codable, Equatable, Sendable {
    public let near: Double
    public let far: Double
    public let samples: Int
    public let frequencies: Int

    public var depths: [Double] { sampleDepths(near: near, far: far, count: samples) }
}
