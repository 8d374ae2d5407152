import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// `bench.json`: what the bundle tells the app.
public struct BenchConfig: Codable, Equatable, Sendable {
    public static let fileName = "bench.json"
    static let readSchema = 1

    public let schema: Int
    /// Version of mnelf that made the bundle; also the app's.
    public let mnelfVersion: String
    public let bundle: BundleIdentity
    public let experience: Experience
    public let contract: Contract
    public let models: [BenchModel]
    public let reference: ReferenceSettings

    enum CodingKeys: String, CodingKey {
        case schema, bundle, experience, contract, models, reference
        case mnelfVersion = "mnelf_version"
    }

    /// Reads and checks the file.
    ///
    /// - Throws: `BenchError.badConfig` if it is of another schema or not whole.
    public init(data: Data) throws {
        let config: BenchConfig
        do {
            let found = try JSONDecoder().decode(SchemaOnly.self, from: data).schema
            guard found == Self.readSchema else {
                throw BenchError.badConfig("has schema \(found), this app reads \(Self.readSchema)")
            }
            config = try JSONDecoder().decode(BenchConfig.self, from: data)
        } catch let error as DecodingError {
            throw BenchError.badConfig(describe(error))
        }
        guard !config.models.isEmpty, !config.reference.frames.isEmpty else {
            throw BenchError.badConfig("names no model or no reference frame")
        }
        self = config
    }

    /// What a model takes and returns: the bundle's contract unless it has another input layout.
    public func contract(of model: BenchModel) -> Contract { model.contract ?? contract }

    /// Some values of each upload of the first frame, as mnelf computed them for a model.
    public func uploads(of model: BenchModel) -> [UploadSample] {
        model.uploads ?? reference.uploads
    }

    private struct SchemaOnly: Decodable {
        let schema: Int
    }
}

/// What people do with the app: turn the object under the finger, or walk round it in the room.
public enum Experience: String, Codable, Sendable {
    case orbit, world
}

/// The bundle that results belong to.
public struct BundleIdentity: Codable, Equatable, Sendable {
    public let name: String
    /// Of the trained weights, as the contract has it.
    public let weightsSHA256: String

    enum CodingKeys: String, CodingKey {
        case name
        case weightsSHA256 = "weights_sha256"
    }

    public init(name: String, weightsSHA256: String) {
        self.name = name
        self.weightsSHA256 = weightsSHA256
    }
}

/// One Core ML package of the bundle.
public struct BenchModel: Codable, Equatable, Sendable {
    /// File name, such as `mic.mlpackage`.
    public let package: String
    /// How the weights are stored, such as `fp16`.
    public let weights: String
    /// Of `weight.bin` inside the package.
    public let weightsSHA256: String
    /// Of all files of the package; a compiled copy is kept under it.
    public let packageSHA256: String
    public let bytes: Int
    /// What each reference frame must reach on the device.
    public let minPSNR: Double
    /// What the package consists of, so that it can be put together again where a build took it apart.
    public let files: [PackageFile]
    /// Of a model with another input layout than the bundle's.
    public let contract: Contract?
    public let uploads: [UploadSample]?

    enum CodingKeys: String, CodingKey {
        case package, weights, bytes, files, contract, uploads
        case weightsSHA256 = "weights_sha256"
        case packageSHA256 = "package_sha256"
        case minPSNR = "min_psnr_db"
    }

    /// Name without the extension, under which resources are found.
    public var stem: String { (package as NSString).deletingPathExtension }

    /// As a resource of the app.
    public var resource: ModelPackage {
        ModelPackage(name: package, key: packageSHA256, files: files)
    }
}

extension BenchModel: Hashable {
    /// Packages of a bundle have names of their own.
    public func hash(into hasher: inout Hasher) { hasher.combine(package) }
}

/// The frames that the trained student rendered before the bundle was written.
public struct ReferenceSettings: Codable, Equatable, Sendable {
    public let frames: [ReferenceFrame]
    /// File of [frames, sampled pixels, channels] little-endian float32.
    public let pixels: String
    public let pixelsPerFrame: Int
    /// Some values of each upload of the first frame, as mnelf computed them.
    public let uploads: [UploadSample]

    enum CodingKeys: String, CodingKey {
        case frames, pixels, uploads
        case pixelsPerFrame = "pixels_per_frame"
    }
}

public struct ReferenceFrame: Codable, Equatable, Sendable {
    /// PNG to look at.
    public let file: String
    public let camToWorld: Pose

    enum CodingKeys: String, CodingKey {
        case file
        case camToWorld = "cam_to_world"
    }
}

/// Values of an upload at some positions in row-major order.
public struct UploadSample: Codable, Equatable, Sendable {
    public let name: String
    public let positions: [Int]
    public let values: [Double]
}
