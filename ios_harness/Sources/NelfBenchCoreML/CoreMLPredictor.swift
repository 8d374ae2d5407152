import CoreML
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// A loaded model with its input and output buffers, which are used again for each frame.
public actor CoreMLPredictor: FramePredictor {
    private let model: MLModel
    private let contract: Contract
    private let inputs: [MLMultiArray]
    private let features: MLDictionaryFeatureProvider
    private let options: MLPredictionOptions
    private var lastFrame: MLFeatureValue?

    /// Loads a compiled model.
    ///
    /// - Throws: `BenchError.badModel` if its inputs or output are not those of the contract, or what
    ///   Core ML throws.
    public init(compiled url: URL, units: ComputeUnits, contract: Contract) async throws {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = units.coreML
        model = try await MLModel.load(contentsOf: url, configuration: configuration)
        self.contract = contract
        try checkModel(model.modelDescription, contract)
        inputs = try contract.inputs.map { try makeArray($0.shape) }
        var values: [String: MLFeatureValue] = [:]
        for (spec, array) in zip(contract.inputs, inputs) {
            values[spec.name] = MLFeatureValue(multiArray: array)
        }
        features = try MLDictionaryFeatureProvider(dictionary: values)
        options = MLPredictionOptions()
        if contract.outputForm == .tensor {
            // Core ML writes here instead of allocating; a picture comes in a buffer of its own pool.
            options.outputBackings = [contract.output.name: try makeArray(contract.output.shape)]
        }
    }

    /// See `FramePredictor.predict`.
    public func predict(_ uploads: Uploads) throws -> Double {
        for (array, values) in zip(inputs, uploads.tensors) {
            fill(array, with: values)
        }
        let start = ProcessInfo.processInfo.systemUptime
        let result = try withoutGarbage {
            try model.prediction(from: features, options: options)
        }
        let seconds = ProcessInfo.processInfo.systemUptime - start
        lastFrame = result.featureValue(for: contract.output.name)
        return seconds
    }

    /// See `FramePredictor.output`.
    public func output() throws -> FrameOutput {
        guard let frame = lastFrame else {
            throw BenchError.badOutput("nothing named \(contract.output.name) was returned")
        }
        switch contract.outputForm {
        case .tensor: return try copyTensor(frame.multiArrayValue, shape: contract.output.shape)
        case .image: return try copyPicture(frame.imageBufferValue, shape: contract.output.shape)
        }
    }
}

extension ComputeUnits {
    /// The case of Core ML that is spelled the same.
    var coreML: MLComputeUnits {
        switch self {
        case .cpuAndNeuralEngine: return .cpuAndNeuralEngine
        case .all: return .all
        case .cpuAndGPU: return .cpuAndGPU
        case .cpuOnly: return .cpuOnly
        }
    }
}

/// Runs `body` and frees what Objective-C code inside it left for later, or a long benchmark would
/// measure its own growing memory.
private func withoutGarbage<Result>(_ body: () throws -> Result) rethrows -> Result {
    #if canImport(Darwin)
    return try autoreleasepool(invoking: body)
    #else
    return try body()
    #endif
}
