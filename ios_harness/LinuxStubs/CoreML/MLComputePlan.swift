import Foundation

public final class MLCPUComputeDevice: Sendable {}

public final class MLGPUComputeDevice: Sendable {}

public final class MLNeuralEngineComputeDevice: Sendable {}

public enum MLComputeDevice: Sendable {
    case cpu(MLCPUComputeDevice)
    case gpu(MLGPUComputeDevice)
    case neuralEngine(MLNeuralEngineComputeDevice)
}

public enum MLModelStructure {
    case program(Program)
    case unsupported

    public struct Program {
        public let functions: [String: Function]

        public struct Function {
            public let block: Block
        }

        public struct Block {
            public let operations: [Operation]
        }

        public struct Operation {
            public let operatorName: String
        }
    }
}

public final class MLComputePlan {
    public let modelStructure: MLModelStructure

    public struct DeviceUsage {
        public let supported: [MLComputeDevice]
        public let preferred: MLComputeDevice
    }

    public struct Cost {
        public let weight: Double
    }

    /// The stub's model has a constant, a convolution for each processor and one without an answer.
    private init() {
        let names = ["const", "ios17.conv", "ios17.conv", "ios17.conv", "ios17.add"]
        let operations = names.map { MLModelStructure.Program.Operation(operatorName: $0) }
        let main = MLModelStructure.Program.Function(block: .init(operations: operations))
        modelStructure = .program(.init(functions: ["main": main]))
        answers = [
            .neuralEngine(MLNeuralEngineComputeDevice()), .gpu(MLGPUComputeDevice()),
            .cpu(MLCPUComputeDevice()),
        ]
    }

    private var answers: [MLComputeDevice]

    public static func load(
        contentsOf url: URL, configuration: MLModelConfiguration
    ) async throws -> MLComputePlan {
        MLComputePlan()
    }

    public func estimatedCost(of operation: MLModelStructure.Program.Operation) -> Cost? {
        operation.operatorName == "ios17.conv" ? Cost(weight: 0.3) : nil
    }

    public func deviceUsage(
        for operation: MLModelStructure.Program.Operation
    ) -> DeviceUsage? {
        guard operation.operatorName == "ios17.conv", !answers.isEmpty else { return nil }
        let preferred = answers.removeFirst()
        return DeviceUsage(supported: [preferred], preferred: preferred)
    }
}
