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

/// Where each operation of a model runs.
public struct PlacementPlan: Equatable, Sendable {
    public let total: Placement
    /// Operator name to processor to count.
    public let byOperation: [String: [String: Int]]

    /// Counts operators; constants compute nothing and are left out.
    public init(_ operations: [(name: String, processor: Processor)]) {
        let computing = operations.filter { !Self.isConstant($0.name) }
        func count(_ processor: Processor) -> Int {
            computing.filter { $0.processor == processor }.count
        }
        total = Placement(
            neuralEngine: count(.neuralEngine), gpu: count(.gpu), cpu: count(.cpu),
            unknown: count(.unknown))
        var counts: [String: [String: Int]] = [:]
        for (name, processor) in computing {
            counts[name, default: [:]][processor.rawValue, default: 0] += 1
        }
        byOperation = counts
    }

    /// Whether a name such as `const` or `ios16.constexpr_lut_to_dense` stands for stored weights.
    static func isConstant(_ name: String) -> Bool {
        (name.split(separator: ".").last ?? "").hasPrefix("const")
    }
}
