import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// One model under one setting. A failed run has an `error` and the figures it got to;
/// figures that a system does not give stay nil.
public struct BenchRun: Codable, Equatable, Sendable {
    public let model: String
    public let weightsSHA256: String
    public let computeUnits: ComputeUnits
    /// What computed the inputs.
    public let encoder: InputEncoder
    public var error: String?
    /// From package to compiled model; nil if the app carries a compiled one.
    public var compileMs: Double?
    /// First load after that. The system may know the model from an earlier day.
    public var coldLoadMs: Double?
    public var warmLoadMs: Double?
    public var firstFrameMs: Double?
    public var warmUpFrames: Int?
    /// Of the prediction alone: uploads are in place, the output is where it was asked for.
    public var latency: LatencySummary?
    /// Median time until the inputs of a pose are where the model reads them.
    public var inputsMs: Double?
    /// Frames a second on the screen, uploads computed for each.
    public var displayFps: Double?
    /// The most frames a second that the display can show.
    public var displayHz: Double?
    public var sustained: [SustainedSummary] = []
    public var memory: MemoryFootprint?
    public var thermal: ThermalSpan?
    public var placement: Placement?
    public var placementByOperation: [String: [String: Int]]?
    /// Share of the estimated cost by processor; they add up to 1.
    public var placementCost: [String: Double]?
    /// Operations that the Neural Engine could run.
    public var neuralEngineSupported: Int?
    public var battery: BatterySpan?
    public var selfCheck: SelfCheck?

    public init(item: BenchItem) {
        model = item.model.package
        weightsSHA256 = item.model.weightsSHA256
        computeUnits = item.units
        encoder = item.encoder
    }

    enum CodingKeys: String, CodingKey {
        case model, encoder, error, sustained, memory, thermal, placement, battery
        case weightsSHA256 = "weights_sha256"
        case computeUnits = "compute_units"
        case compileMs = "compile_ms"
        case coldLoadMs = "cold_load_ms"
        case warmLoadMs = "warm_load_ms"
        case firstFrameMs = "first_frame_ms"
        case warmUpFrames = "warm_up_frames"
        case latency = "latency_ms"
        case inputsMs = "inputs_ms"
        case displayFps = "display_fps"
        case displayHz = "display_hz"
        case placementByOperation = "placement_by_operation"
        case placementCost = "placement_cost"
        case neuralEngineSupported = "neural_engine_supported"
        case selfCheck = "self_check"
    }
}

/// Charge at both ends of a run, 0 to 1.
public struct BatterySpan: Codable, Equatable, Sendable {
    public let start: Double
    public let end: Double
    /// At either end.
    public let charging: Bool

    public init?(start: BatteryLevel?, end: BatteryLevel?) {
        guard let start, let end else { return nil }
        self.start = start.level
        self.end = end.level
        charging = start.isCharging || end.isCharging
    }
}

/// Footprint of the whole app in bytes, as the system charges it.
public struct MemoryFootprint: Codable, Equatable, Sendable {
    public let before: UInt64
    public let afterLoad: UInt64
    /// The largest that was seen between frames.
    public let peak: UInt64

    enum CodingKeys: String, CodingKey {
        case before, peak
        case afterLoad = "after_load"
    }

    public init(before: UInt64, afterLoad: UInt64, peak: UInt64) {
        self.before = before
        self.afterLoad = afterLoad
        self.peak = peak
    }
}
