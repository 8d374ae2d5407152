import Foundation

/// A loaded model; renders one frame at a time.
public protocol FramePredictor: Sendable {
    /// Renders a frame and returns the seconds of the prediction alone.
    func predict(_ uploads: Uploads) async throws -> Double

    /// Copies the last frame out.
    func output() async throws -> FrameOutput
}

/// Everything that a benchmark needs from the device that it runs on.
public protocol BenchDevice: Sendable {
    /// Seconds of a clock that only goes forwards.
    func now() -> Double

    func sleep(seconds: Double) async throws

    func thermalLevel() -> ThermalLevel

    /// Bytes that the system charges the app with.
    func memoryFootprint() throws -> UInt64

    /// Compiles a package, even if a compiled copy is kept, and keeps the new copy.
    ///
    /// - Returns: Seconds of the compilation; nil if the app carries a compiled model instead.
    func compile(_ model: BenchModel) async throws -> Double?

    /// Loads a model, compiled before or now.
    func load(_ model: BenchModel, units: ComputeUnits) async throws -> any FramePredictor

    /// Where the operations of a model run; nil if the system does not tell.
    func placement(_ model: BenchModel, units: ComputeUnits) async throws -> PlacementPlan?

    /// Starts a frame at each tick of the display unless the last one still runs.
    ///
    /// - Returns: Frames a second that were finished; nil without a display.
    func displayRate(
        seconds: Double, frame: @escaping @Sendable () async throws -> Void
    ) async throws -> Double?
}
