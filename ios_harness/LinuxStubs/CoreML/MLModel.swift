import CoreVideo
import Foundation

public enum MLComputeUnits: Int, Sendable {
    case cpuOnly = 0
    case cpuAndGPU = 1
    case all = 2
    case cpuAndNeuralEngine = 3
}

public final class MLModelConfiguration {
    public var computeUnits: MLComputeUnits = .all

    public init() {}
}

public final class MLPredictionOptions {
    public var outputBackings: [String: Any] = [:]

    public init() {}
}

/// The stub's "package" is a folder with `stub.json`, which says what the model takes and returns.
/// Element k of the output is the first element of the first input (by name) plus k / 1000.
public struct StubModel: Codable, Sendable {
    public static let fileName = "stub.json"

    public var inputs: [String: [Int]]
    public var outputName: String
    public var outputShape: [Int]
    public var outputIsImage: Bool
    /// Whether inputs and output are in fp16.
    public var isHalf = false
    /// What the author defined.
    public var metadata: [String: String] = [:]
    /// Ignore the caller's output backing and return rows with this many floats too much.
    public var rowPadding: Int?
    /// Fail with this text when loaded.
    public var loadError: String?

    public init(inputs: [String: [Int]], outputName: String, outputShape: [Int]) {
        self.inputs = inputs
        self.outputName = outputName
        self.outputShape = outputShape
        outputIsImage = false
    }
}

public struct StubError: LocalizedError {
    public let errorDescription: String?
}

public final class MLModel: @unchecked Sendable {
    public let modelDescription: MLModelDescription
    public let configuration: MLModelConfiguration
    private let stub: StubModel

    private init(stub: StubModel, configuration: MLModelConfiguration) {
        self.stub = stub
        self.configuration = configuration
        let type: MLMultiArrayDataType = stub.isHalf ? .float16 : .float32
        modelDescription = MLModelDescription(
            inputs: stub.inputs.mapValues { MLFeatureDescription(shape: $0, isImage: false, dataType: type) },
            outputs: [
                stub.outputName: MLFeatureDescription(
                    shape: stub.outputShape, isImage: stub.outputIsImage, dataType: type)
            ], creatorDefined: stub.metadata)
    }

    public static func compileModel(at modelURL: URL) async throws -> URL {
        let compiled = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString + ".mlmodelc")
        try FileManager.default.copyItem(at: modelURL, to: compiled)
        return compiled
    }

    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration
    ) async throws -> MLModel {
        guard url.pathExtension == "mlmodelc" else {
            throw StubError(errorDescription: "\(url.lastPathComponent) is not compiled")
        }
        let data = try Data(contentsOf: url.appendingPathComponent(StubModel.fileName))
        let stub = try JSONDecoder().decode(StubModel.self, from: data)
        if let reason = stub.loadError {
            throw StubError(errorDescription: reason)
        }
        return MLModel(stub: stub, configuration: configuration)
    }

    public func prediction(
        from input: MLFeatureProvider, options: MLPredictionOptions
    ) async throws -> MLFeatureProvider {
        let predict: (MLFeatureProvider, MLPredictionOptions) throws -> MLFeatureProvider =
            prediction(from:options:)
        return try predict(input, options)
    }

    public func prediction(
        from input: MLFeatureProvider, options: MLPredictionOptions
    ) throws -> MLFeatureProvider {
        guard let name = stub.inputs.keys.sorted().first,
            let first = input.featureValue(for: name)?.multiArrayValue
        else {
            throw StubError(errorDescription: "an input is missing")
        }
        let base = first.withUnsafeBytes {
            stub.isHalf ? Float($0.load(as: Float16.self)) : $0.load(as: Float.self)
        }
        let value = try output(base: base, options: options)
        return try MLDictionaryFeatureProvider(dictionary: [stub.outputName: value])
    }

    private func output(base: Float, options: MLPredictionOptions) throws -> MLFeatureValue {
        let shape = stub.outputShape
        if stub.outputIsImage {
            guard let buffer = options.outputBackings[stub.outputName] as? CVPixelBuffer else {
                throw StubError(errorDescription: "no output backing")
            }
            for index in 0..<buffer.bytesPerRow * buffer.height {
                buffer.memory.storeBytes(
                    of: UInt8(index % 256), toByteOffset: index, as: UInt8.self)
            }
            return MLFeatureValue(pixelBuffer: buffer)
        }
        let array: MLMultiArray
        if let padding = stub.rowPadding {
            array = try MLMultiArray(
                shape: shape.map { NSNumber(value: $0) }, dataType: stub.isHalf ? .float16 : .float32, rowPadding: padding)
        } else if let backing = options.outputBackings[stub.outputName] as? MLMultiArray {
            array = backing
        } else {
            throw StubError(errorDescription: "no output backing")
        }
        array.withUnsafeMutableBytes { bytes, strides in
            for index in 0..<shape.reduce(1, *) {
                let row = index / shape[3]
                let (channel, line) = (row / shape[2], row % shape[2])
                let offset = channel * strides[1] + line * strides[2] + index % shape[3]
                let value = base + Float(index) / 1000
                if stub.isHalf {
                    bytes.storeBytes(of: Float16(value), toByteOffset: 2 * offset, as: Float16.self)
                } else {
                    bytes.storeBytes(of: value, toByteOffset: 4 * offset, as: Float.self)
                }
            }
        }
        return MLFeatureValue(multiArray: array)
    }
}
