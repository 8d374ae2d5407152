import CoreML
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// A model of the app under measurement.
actor CoreMLPredictor: FramePredictor {
    nonisolated let model: NelfModel
    private var last: NelfFrame?

    init(_ model: NelfModel) {
        self.model = model
    }

    /// See `FramePredictor.predict`.
    func predict(_ uploads: Uploads) async throws -> Double {
        let (frame, seconds) = try await model.timedFrame(uploads)
        last = frame
        return seconds
    }

    /// See `FramePredictor.render`.
    func render(_ pose: Pose) async throws -> Double {
        let (frame, seconds) = try await model.timedInputs(pose)
        last = frame
        return seconds
    }

    /// See `FramePredictor.inputs`.
    func inputs(_ pose: Pose) async throws -> Uploads { try await model.inputs(pose) }

    /// See `FramePredictor.output`.
    func output() throws -> FrameOutput {
        guard let last else { throw NelfError.badOutput("nothing was rendered yet") }
        return try last.values()
    }
}

/// The device that the app runs on, with Core ML.
public struct CoreMLDevice: BenchDevice {
    let store: ModelStore
    let config: BenchConfig
    /// Where frames are shown; nothing is measured on the display without it.
    let screen: FrameScreen?

    public init(store: ModelStore, config: BenchConfig, screen: FrameScreen? = nil) {
        self.store = store
        self.config = config
        self.screen = screen
    }

    /// See `BenchDevice.now`.
    public func now() -> Double { ProcessInfo.processInfo.systemUptime }

    /// See `BenchDevice.sleep`.
    public func sleep(seconds: Double) async throws {
        try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
    }

    /// See `BenchDevice.thermalLevel`.
    public func thermalLevel() -> ThermalLevel { probeThermalLevel() }

    /// See `BenchDevice.memoryFootprint`.
    public func memoryFootprint() throws -> UInt64 { try probeMemoryFootprint() }

    /// See `BenchDevice.battery`.
    public func battery() async -> BatteryLevel? { await probeBattery() }

    /// See `BenchDevice.compile`.
    public func compile(_ model: BenchModel) async throws -> Double? {
        try await store.compile(model.resource)
    }

    /// Loads a model to be shown.
    func model(_ item: BenchItem) async throws -> NelfModel {
        try await NelfModel(
            compiled: store.compiled(item.model.resource), computeUnits: item.units,
            contract: config.contract(of: item.model), encoder: item.encoder)
    }

    /// See `BenchDevice.load`.
    public func load(_ item: BenchItem) async throws -> any FramePredictor {
        CoreMLPredictor(try await model(item))
    }

    /// See `BenchDevice.placement`.
    public func placement(
        _ model: BenchModel, units: ComputeUnits
    ) async throws -> PlacementPlan? {
        try await probePlacement(compiled: store.compiled(model.resource), units: units)
    }

    /// See `BenchDevice.displayRate`.
    public func displayRate(
        _ predictor: any FramePredictor, poses: [Pose], seconds: Double
    ) async throws -> DisplayRate? {
        guard let model = (predictor as? CoreMLPredictor)?.model, let screen else { return nil }
        return try await DisplayPacer.measure(model, poses: poses, on: screen, seconds: seconds)
    }
}
