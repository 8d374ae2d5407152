import Foundation

/// What a host must upload and what it gets back: the part of the bundle's contract that an app
/// needs. Everything is in one place, so nothing here may be assumed elsewhere.
public struct Contract: Codable, Equatable, Sendable {
    /// How the encoder is split between app and model.
    public let layout: InputLayout
    /// What the app uploads for each frame.
    public let inputs: [TensorSpec]
    /// What the model returns.
    public let output: TensorSpec
    /// What the model returns.
    public let outputForm: OutputForm
    /// The network's ray grid and samples.
    public let student: StudentSettings
    /// Lens of the reference frames, on the image's pixel grid.
    public let intrinsics: Intrinsics
    /// Where cameras may stand.
    public let orbit: OrbitLimits
    /// Of the ball around the orbit's target that every photo shows whole, world units.
    public let ballRadius: Double
    /// True length of a world unit; nil if nobody knows.
    public let metersPerUnit: Double?

    enum CodingKeys: String, CodingKey {
        case layout, inputs, output, student, intrinsics, orbit
        case outputForm = "output_form"
        case ballRadius = "ball_radius"
        case metersPerUnit = "metres_per_unit"
    }

    /// Key of the contract, as JSON, among the metadata that a package's author defined.
    public static let metadataKey = "mobile_nelf.contract"

    /// Reads a contract as a package carries it.
    ///
    /// - Throws: `NelfError.badContract` if it is not whole.
    public init(json: Data) throws {
        do {
            self = try JSONDecoder().decode(Contract.self, from: json)
        } catch let error as DecodingError {
            throw NelfError.badContract(describe(error))
        }
    }

    /// Whether the picture has a fourth channel.
    public var hasAlpha: Bool { output.shape[1] == 4 }

    /// The camera of the ray grid at a pose.
    public func rayCamera(_ pose: Pose) -> Camera {
        Camera(
            pose: pose,
            intrinsics: intrinsics.resized(width: student.rayWidth, height: student.rayHeight))
    }
}

/// Type of a tensor's numbers.
public enum ElementType: String, Codable, Sendable {
    case float16 = "fp16"
    case float32 = "fp32"

    /// Of one number.
    public var bytes: Int { self == .float16 ? 2 : 4 }
}

/// One tensor at the border of a model.
public struct TensorSpec: Codable, Equatable, Sendable {
    /// In the model.
    public let name: String
    /// [1, channels, rows, columns].
    public let shape: [Int]
    /// Type of its numbers.
    public let element: ElementType

    enum CodingKeys: String, CodingKey {
        case name, shape
        case element = "dtype"
    }

    /// Describes a tensor.
    public init(name: String, shape: [Int], element: ElementType = .float32) {
        self.name = name
        self.shape = shape
        self.element = element
    }

    public init(from decoder: Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        shape = try values.decode([Int].self, forKey: .shape)
        // Contracts from before fp16 borders do not say it.
        element = try values.decodeIfPresent(ElementType.self, forKey: .element) ?? .float32
    }

    /// Numbers in it.
    public var count: Int { shape.reduce(1, *) }
}

/// What a model returns: the tensor of the contract, or an 8-bit picture.
public enum OutputForm: String, Codable, Sendable {
    case tensor, image
}

/// The student's ray grid and how its rays are sampled.
public struct StudentSettings: Codable, Equatable, Sendable {
    /// How its rays are sampled.
    public let encoder: EncoderSettings
    /// Rays of a row.
    public let rayWidth: Int
    /// Rows of rays.
    public let rayHeight: Int

    enum CodingKeys: String, CodingKey {
        case encoder
        case rayWidth = "ray_width"
        case rayHeight = "ray_height"
    }
}

/// How a ray becomes input channels; depths are along the optical axis, in the scene's units.
public struct EncoderSettings: Codable, Equatable, Sendable {
    /// Depth of the first sample.
    public let near: Double
    /// Depth of the last sample.
    public let far: Double
    /// Samples of a ray.
    public let samples: Int
    /// Octaves of the encoding.
    public let frequencies: Int

    /// Of all samples, from near to far.
    public var depths: [Double] { sampleDepths(near: near, far: far, count: samples) }
}

/// What a decoder found wrong, with the path of the key.
public func describe(_ error: DecodingError) -> String {
    func path(_ keys: [CodingKey]) -> String {
        keys.isEmpty ? "the file" : keys.map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
        return "\(path(context.codingPath + [key])) is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        return "\(path(context.codingPath)): \(context.debugDescription)"
    @unknown default:
        return error.localizedDescription
    }
}
