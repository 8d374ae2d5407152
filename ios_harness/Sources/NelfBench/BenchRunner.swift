import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Measures one model under one setting after the other.
public struct BenchRunner: Sendable {
    /// What happens now, for people.
    public typealias Progress = @Sendable (String) -> Void

    /// Memory is looked at between frames, this often.
    static let memorySeconds = 0.1
    /// Of the time for inputs; the CPU may take a tenth of a second for those of layout `embedded`.
    static let inputFrames = 100

    let config: BenchConfig
    let reference: ReferencePixels
    let options: BenchOptions
    let device: any BenchDevice

    public init(
        config: BenchConfig, reference: ReferencePixels, options: BenchOptions,
        device: any BenchDevice
    ) {
        self.config = config
        self.reference = reference
        self.options = options
        self.device = device
    }

    /// Measures; whatever goes wrong is in the run, with the figures measured until then.
    ///
    /// - Throws: Only `CancellationError`.
    public func run(_ item: BenchItem, progress: Progress) async throws -> BenchRun {
        var run = BenchRun(item: item)
        do {
            try await measure(item, into: &run, progress: progress)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            run.error = error.localizedDescription
        }
        return run
    }

    private func measure(
        _ item: BenchItem, into run: inout BenchRun, progress: Progress
    ) async throws {
        let startLevel = try await waitUntilCool(progress)
        let startBattery = await device.battery()
        let before = try device.memoryFootprint()
        progress("compile")
        run.compileMs = try await device.compile(item.model).map { 1000 * $0 }
        let predictor = try await loadTwice(item, into: &run, progress: progress)
        let afterLoad = try device.memoryFootprint()
        var memory = MemoryWatch(device: device, peak: afterLoad)

        let contract = config.contract(of: item.model)
        let poses = config.reference.frames.map(\.camToWorld)
        let uploads = try poses.map { try Uploads(contract: contract, pose: $0) }
        progress("inputs")
        try check(
            try await predictor.inputs(poses[0]), config.uploads(of: item.model),
            contract: contract)
        progress("first frame")
        run.firstFrameMs = 1000 * (try await predictor.predict(uploads[0]))
        progress("warm up")
        var warmUp = WarmUp()
        while !warmUp.isFinished {
            try Task.checkCancellation()
            warmUp.add(try await predictor.predict(uploads[warmUp.frames % uploads.count]))
        }
        run.warmUpFrames = warmUp.frames

        progress("latency")
        var times: [Double] = []
        while times.count < options.latencyFrames {
            try Task.checkCancellation()
            times.append(try await predictor.predict(uploads[times.count % uploads.count]))
            try memory.look()
        }
        run.latency = LatencySummary(seconds: times)

        var inputTimes: [Double] = []
        while inputTimes.count < min(options.latencyFrames, Self.inputFrames) {
            try Task.checkCancellation()
            inputTimes.append(try await predictor.render(poses[inputTimes.count % poses.count]))
            try memory.look()
        }
        run.inputsMs = LatencySummary(seconds: inputTimes)?.p50

        progress("self-check")
        run.selfCheck = try await selfCheck(item.model, predictor, poses)
        progress("display")
        // A turn around the object, as a person would do it: each frame has a pose of its own.
        let shown = try await device.displayRate(
            predictor, poses: contract.orbit.sweep(360).map { contract.orbit.pose($0) },
            seconds: options.displaySeconds)
        run.displayFps = shown?.framesPerSecond
        run.displayHz = shown?.refreshRate
        for seconds in options.sustainedSeconds {
            progress("\(Int(seconds)) s without a pause")
            if let summary = try await sustain(seconds, predictor, uploads, &memory) {
                run.sustained.append(summary)
            }
        }
        try memory.look()
        run.memory = MemoryFootprint(before: before, afterLoad: afterLoad, peak: memory.peak)
        run.thermal = ThermalSpan(start: startLevel, end: device.thermalLevel())
        run.battery = BatterySpan(start: startBattery, end: await device.battery())

        progress("placement")
        let plan = try await device.placement(item.model, units: item.units)
        run.placement = plan?.total
        run.placementByOperation = plan?.byOperation
        run.placementCost = plan?.cost
        run.neuralEngineSupported = plan?.neuralEngineSupported
    }

    /// See `ThermalGate`.
    private func waitUntilCool(_ progress: Progress) async throws -> ThermalLevel {
        let start = device.now()
        while true {
            let level = device.thermalLevel()
            switch ThermalGate.decide(level, waited: device.now() - start) {
            case .start: return level
            case .giveUp: throw BenchError.tooHot(level)
            case .wait:
                progress("waits, the device is too hot (\(level.rawValue))")
                try await device.sleep(seconds: ThermalGate.pollSeconds)
            }
        }
    }

    /// Loads, lets go, and loads again; the second is what a person meets who opens an app again.
    private func loadTwice(
        _ item: BenchItem, into run: inout BenchRun, progress: Progress
    ) async throws -> any FramePredictor {
        progress("load")
        run.coldLoadMs = try await timedLoad(item).milliseconds
        try Task.checkCancellation()
        let (predictor, milliseconds) = try await timedLoad(item)
        run.warmLoadMs = milliseconds
        return predictor
    }

    private func timedLoad(
        _ item: BenchItem
    ) async throws -> (predictor: any FramePredictor, milliseconds: Double) {
        let start = device.now()
        let predictor = try await device.load(item)
        return (predictor, 1000 * (device.now() - start))
    }

    private func selfCheck(
        _ model: BenchModel, _ predictor: any FramePredictor, _ poses: [Pose]
    ) async throws -> SelfCheck {
        var decibels: [Double] = []
        for (index, pose) in poses.enumerated() {
            _ = try await predictor.render(pose)
            let frame = try await predictor.output()
            decibels.append(
                psnr(
                    frame.values(at: reference.positions), reference: reference.values(frame: index)
                ))
        }
        return SelfCheck(psnr: decibels, required: model.minPSNR)
    }

    private func sustain(
        _ seconds: Double, _ predictor: any FramePredictor, _ uploads: [Uploads],
        _ memory: inout MemoryWatch
    ) async throws -> SustainedSummary? {
        var times: [Double] = []
        var timeline = Timeline()
        let start = device.now()
        while device.now() - start < seconds {
            try Task.checkCancellation()
            times.append(try await predictor.predict(uploads[times.count % uploads.count]))
            timeline.add(at: device.now() - start, heat: device.thermalLevel())
            try memory.look()
        }
        return SustainedSummary(
            elapsed: device.now() - start, frameSeconds: times, timeline: timeline)
    }
}

/// Keeps the largest footprint without asking the system after every frame.
private struct MemoryWatch {
    let device: any BenchDevice
    private(set) var peak: UInt64
    private var last = -Double.infinity

    init(device: any BenchDevice, peak: UInt64) {
        self.device = device
        self.peak = peak
    }

    mutating func look() throws {
        let now = device.now()
        guard now - last >= BenchRunner.memorySeconds else { return }
        last = now
        peak = max(peak, try device.memoryFootprint())
    }
}
