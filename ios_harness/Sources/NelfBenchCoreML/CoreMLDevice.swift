import CoreML
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// The device that the app runs on, with Core ML.
public struct CoreMLDevice: BenchDevice {
    let store: ModelStore
    let contract: Contract

    public init(store: ModelStore, contract: Contract) {
        self.store = store
        self.contract = contract
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

    /// See `BenchDevice.compile`.
    public func compile(_ model: BenchModel) async throws -> Double? {
        try await store.compile(model)
    }

    /// See `BenchDevice.load`.
    public func load(_ model: BenchModel, units: ComputeUnits) async throws -> any FramePredictor {
        try await CoreMLPredictor(
            compiled: store.compiled(model), units: units, contract: contract)
    }

    /// See `BenchDevice.placement`.
    public func placement(
        _ model: BenchModel, units: ComputeUnits
    ) async throws -> PlacementPlan? {
        try await probePlacement(compiled: store.compiled(model), units: units)
    }

    /// See `BenchDevice.displayRate`.
    public func displayRate(
        seconds: Double, frame: @escaping @Sendable () async throws -> Void
    ) async throws -> Double? {
        #if canImport(UIKit)
        return try await DisplayPacer.measure(seconds: seconds, frame: frame)
        #else
        return nil
        #endif
    }
}
