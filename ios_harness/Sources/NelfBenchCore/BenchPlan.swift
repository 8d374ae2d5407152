import Foundation

/// Which processors Core ML may use; spelled like the cases of `MLComputeUnits`.
public enum ComputeUnits: String, Codable, Sendable, CaseIterable {
    case cpuAndNeuralEngine, all, cpuAndGPU, cpuOnly

    /// For people.
    public var title: String {
        switch self {
        case .cpuAndNeuralEngine: return "CPU and Neural Engine"
        case .all: return "All"
        case .cpuAndGPU: return "CPU and GPU"
        case .cpuOnly: return "CPU only"
        }
    }
}

/// How long a benchmark takes.
public struct BenchOptions: Equatable, Sendable {
    /// Frames of the latency figures, after the warm-up.
    public var latencyFrames: Int
    /// Frames are counted under the display link for this long.
    public var displaySeconds: Double
    /// Lengths of the runs without a pause.
    public var sustainedSeconds: [Double]

    public init(latencyFrames: Int, displaySeconds: Double, sustainedSeconds: [Double]) {
        self.latencyFrames = latencyFrames
        self.displaySeconds = displaySeconds
        self.sustainedSeconds = sustainedSeconds
    }

    /// What the table of `mnelf compare` is made of.
    public static let full = BenchOptions(
        latencyFrames: 300, displaySeconds: 10, sustainedSeconds: [60, 300])
    /// Without the runs that show what heat does.
    public static let quick = BenchOptions(
        latencyFrames: 300, displaySeconds: 10, sustainedSeconds: [])

    /// Seconds that one run takes at least.
    public var leastSeconds: Double { displaySeconds + sustainedSeconds.reduce(0, +) }
}

/// One model under one setting.
public struct BenchItem: Equatable, Hashable, Sendable {
    public let model: BenchModel
    public let units: ComputeUnits

    public init(model: BenchModel, units: ComputeUnits) {
        self.model = model
        self.units = units
    }
}

/// Every model under every setting, model by model; the settings that phones are for come first, so
/// that a benchmark cut short holds them.
public func benchPlan(_ models: [BenchModel]) -> [BenchItem] {
    models.flatMap { model in
        ComputeUnits.allCases.map { BenchItem(model: model, units: $0) }
    }
}
