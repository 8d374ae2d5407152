import Foundation

/// A processor of the device.
public enum Processor: String, Codable, Sendable, CaseIterable {
    case neuralEngine = "neural_engine"
    case gpu, cpu, unknown
}

/// Operations by the processor that Core ML prefers for them.
public struct Placement: Codable, Equatable, Sendable {
    public let neuralEngine: Int
    public let gpu: Int
    public let cpu: Int
    public let unknown: Int

    enum CodingKeys: String, CodingKey {
        case gpu, cpu, unknown
        case neuralEngine = "neural_engine"
    }
}

/// An operation and where Core ML would run it.
public struct PlacedOperation: Equatable, Sendable {
    public let name: String
    public let processor: Processor
    /// Estimated share of the whole model's time.
    public let cost: Double?
    /// Whether the Neural Engine could run it.
    public let onNeuralEngine: Bool

    public init(
        _ name: String, _ processor: Processor, cost: Double? = nil, onNeuralEngine: Bool = false
    ) {
        self.name = name
        self.processor = processor
        self.cost = cost
        self.onNeuralEngine = onNeuralEngine
    }
}

/// Where each operation of a model runs.
public struct PlacementPlan: Equatable, Sendable {
    public let total: Placement
    /// Operator name to processor to count.
    public let byOperation: [String: [String: Int]]
    /// Share of the estimated cost by processor; nil if the system gives none.
    public let cost: [String: Double]?
    /// Operations that the Neural Engine could run.
    public let neuralEngineSupported: Int

    /// Counts operators; constants compute nothing and are left out.
    public init(_ operations: [PlacedOperation]) {
        let computing = operations.filter { !Self.isConstant($0.name) }
        func count(_ processor: Processor) -> Int {
            computing.filter { $0.processor == processor }.count
        }
        total = Placement(
            neuralEngine: count(.neuralEngine), gpu: count(.gpu), cpu: count(.cpu),
            unknown: count(.unknown))
        var counts: [String: [String: Int]] = [:]
        for operation in computing {
            counts[operation.name, default: [:]][operation.processor.rawValue, default: 0] += 1
        }
        byOperation = counts
        neuralEngineSupported = computing.filter(\.onNeuralEngine).count
        var shares: [String: Double] = [:]
        for operation in computing {
            shares[operation.processor.rawValue, default: 0] += operation.cost ?? 0
        }
        let total = shares.values.reduce(0, +)
        cost = total > 0 ? shares.mapValues { $0 / total } : nil
    }

    /// Whether a name such as `const` or `ios16.constexpr_lut_to_dense` stands for stored weights.
    static func isConstant(_ name: String) -> Bool {
        (name.split(separator: ".").last ?? "").hasPrefix("const")
    }
}
