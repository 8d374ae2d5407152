import Foundation

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// A device with a clock of its own: each step takes the time that a test gave it.
actor ScriptedPredictor: FramePredictor {
    private let device: ScriptedDevice
    private let frame: FrameOutput

    private let contract: Contract

    init(device: ScriptedDevice, frame: FrameOutput, contract: Contract) {
        self.device = device
        self.frame = frame
        self.contract = contract
    }

    func predict(_ uploads: Uploads) throws -> Double {
        try device.predict()
    }

    func render(_ pose: Pose) throws -> Double {
        _ = try device.predict()
        return device.inputSeconds
    }

    func inputs(_ pose: Pose) throws -> Uploads { try Uploads(contract: contract, pose: pose) }

    func output() -> FrameOutput { frame }
}

final class ScriptedDevice: BenchDevice, @unchecked Sendable {
    struct Failure: LocalizedError {
        let errorDescription: String?
    }

    var loadSeconds = [2.0, 0.5]
    var frameSeconds: (Int) -> Double = { _ in 0.01 }
    var inputSeconds = 0.002
    /// Between two frames of a loop.
    var idleSeconds = 0.0
    var thermal: (Double) -> ThermalLevel = { _ in .nominal }
    var footprint: (Double) -> UInt64 = { UInt64(1000 + $0) }
    var failAtFrame: Int?
    var hasDisplay = true
    let frame: FrameOutput
    let contract: Contract

    private(set) var clock = 0.0
    private(set) var frames = 0
    private(set) var compiled: [String] = []
    private(set) var loads = 0

    init(frame: FrameOutput, contract: Contract) {
        self.frame = frame
        self.contract = contract
    }

    func predict() throws -> Double {
        if frames == failAtFrame { throw Failure(errorDescription: "frame \(frames) failed") }
        let seconds = frameSeconds(frames)
        frames += 1
        clock += seconds + idleSeconds
        return seconds
    }

    func now() -> Double { clock }

    func sleep(seconds: Double) async throws { clock += seconds }

    func thermalLevel() -> ThermalLevel { thermal(clock) }

    func memoryFootprint() throws -> UInt64 { footprint(clock) }

    func compile(_ model: BenchModel) async throws -> Double? {
        compiled.append(model.package)
        clock += 3
        return 3
    }

    func load(_ item: BenchItem) async throws -> any FramePredictor {
        clock += loadSeconds[min(loads, loadSeconds.count - 1)]
        loads += 1
        return ScriptedPredictor(device: self, frame: frame, contract: contract)
    }

    func placement(_ model: BenchModel, units: ComputeUnits) async throws -> PlacementPlan? {
        PlacementPlan([PlacedOperation("ios17.conv", .neuralEngine, cost: 1, onNeuralEngine: true)])
    }

    func battery() async -> BatteryLevel? {
        BatteryLevel(level: 1 - clock / 10_000, isCharging: false)
    }

    func displayRate(
        _ predictor: any FramePredictor, poses: [Pose], seconds: Double
    ) async throws -> DisplayRate? {
        guard hasDisplay else { return nil }
        let (start, first) = (clock, frames)
        while clock - start < seconds { _ = try predict() }
        return DisplayRate(
            framesPerSecond: Double(frames - first) / (clock - start), refreshRate: 120)
    }
}
