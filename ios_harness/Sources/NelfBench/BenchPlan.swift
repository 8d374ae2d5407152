import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

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
    public var model: BenchModel
    public var units: ComputeUnits
    /// What computes the inputs.
    public var encoder: InputEncoder

    public init(model: BenchModel, units: ComputeUnits, encoder: InputEncoder) {
        self.model = model
        self.units = units
        self.encoder = encoder
    }
}

/// Every model under every setting, model by model; the settings that phones are for come first, so
/// that a benchmark cut short holds them. Where Metal can compute the inputs it does so in runs of
/// its own.
public func benchPlan(_ config: BenchConfig) -> [BenchItem] {
    config.models.flatMap { model in
        ComputeUnits.allCases.flatMap { units in
            InputEncoder.available(for: config.contract(of: model)).map {
                BenchItem(model: model, units: units, encoder: $0)
            }
        }
    }
}
