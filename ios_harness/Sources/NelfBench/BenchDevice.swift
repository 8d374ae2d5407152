import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// A loaded model; renders one frame at a time.
public protocol FramePredictor: Sendable {
    /// Renders a frame of prepared inputs and returns the seconds of the prediction alone.
    func predict(_ uploads: Uploads) async throws -> Double

    /// Renders a pose as an app does and returns the seconds until its inputs were in place.
    func render(_ pose: Pose) async throws -> Double

    /// Returns what the model is given at a pose, copied out from where it reads it.
    func inputs(_ pose: Pose) async throws -> Uploads

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
    func load(_ item: BenchItem) async throws -> any FramePredictor

    /// Where the operations of a model run; nil if the system does not tell.
    func placement(_ model: BenchModel, units: ComputeUnits) async throws -> PlacementPlan?

    /// Charge of the device; nil where the system does not tell.
    func battery() async -> BatteryLevel?

    /// Shows frames of one pose after the other on the screen, as an app would: begun at refreshes of
    /// the display, inputs computed for each, two in flight.
    ///
    /// - Returns: Frames a second that were shown; nil without a screen.
    func displayRate(
        _ predictor: any FramePredictor, poses: [Pose], seconds: Double
    ) async throws -> DisplayRate?
}

/// Charge of a device.
public struct BatteryLevel: Equatable, Sendable {
    /// 0 to 1.
    public let level: Double
    public let isCharging: Bool

    public init(level: Double, isCharging: Bool) {
        self.level = level
        self.isCharging = isCharging
    }
}

/// Frames on a screen.
public struct DisplayRate: Equatable, Sendable {
    public let framesPerSecond: Double
    /// The most that the display can show.
    public let refreshRate: Double

    public init(framesPerSecond: Double, refreshRate: Double) {
        self.framesPerSecond = framesPerSecond
        self.refreshRate = refreshRate
    }
}
