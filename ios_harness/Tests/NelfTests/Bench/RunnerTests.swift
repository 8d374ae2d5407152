import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class RunnerTests: XCTestCase {
    private let options = BenchOptions(
        latencyFrames: 50, displaySeconds: 1, sustainedSeconds: [2, 4])

    private func config() throws -> BenchConfig {
        try BenchConfig(data: vectorData("bench.json"))
    }

    /// A frame of zeros and reference pixels that are off by 0.1, which is 20 dB.
    private func makeDevice() throws -> ScriptedDevice {
        let contract = try config().contract
        let shape = contract.output.shape
        return ScriptedDevice(
            frame: try FrameOutput(
                storage: .planarFloat32, width: shape[3], height: shape[2], channels: shape[1],
                bytes: Data(count: 4 * shape.reduce(1, *))), contract: contract)
    }

    private func run(_ device: ScriptedDevice) async throws -> BenchRun {
        let config = try config()
        let count = 2 * config.reference.pixelsPerFrame * config.contract.output.shape[1]
        let pixels = [Float](repeating: 0.1, count: count).withUnsafeBytes { Data($0) }
        let runner = BenchRunner(
            config: config, reference: try ReferencePixels(data: pixels, config: config),
            options: options, device: device)
        return try await runner.run(benchPlan(config)[0]) { _ in }
    }

    func testFillsEveryFigure() async throws {
        let device = try makeDevice()
        // The first frame is slow, those of the warm-up fall, then all take 10 ms.
        device.frameSeconds = { $0 == 0 ? 1 : ($0 <= 10 ? 0.03 : 0.01) }
        device.idleSeconds = 0.01
        device.thermal = { $0 < 10 ? .nominal : .fair }
        let run = try await run(device)
        XCTAssertNil(run.error)
        XCTAssertEqual(run.compileMs, 3000)
        XCTAssertEqual(try XCTUnwrap(run.coldLoadMs), 2000, accuracy: 1e-6)
        XCTAssertEqual(try XCTUnwrap(run.warmLoadMs), 500, accuracy: 1e-6)
        XCTAssertEqual(run.firstFrameMs, 1000)
        XCTAssertEqual(run.warmUpFrames, 40)
        let latency = try XCTUnwrap(run.latency)
        XCTAssertEqual(latency.count, 50)
        XCTAssertEqual(latency.max, 10, accuracy: 1e-9)
        XCTAssertEqual(try XCTUnwrap(run.inputsMs), 2, accuracy: 1e-9)
        XCTAssertEqual(run.encoder, .cpu)
        // A frame and what is between two of them take 20 ms.
        XCTAssertEqual(try XCTUnwrap(run.displayFps), 50, accuracy: 1)
        XCTAssertEqual(run.displayHz, 120)
        XCTAssertEqual(run.placementCost, ["neural_engine": 1])
        XCTAssertEqual(run.neuralEngineSupported, 1)
        let battery = try XCTUnwrap(run.battery)
        XCTAssertLessThan(battery.end, battery.start)
        XCTAssertEqual(run.sustained.map { $0.seconds.rounded() }, [2, 4])
        XCTAssertEqual(run.sustained[1].framesBySecond?.count, 4)
        XCTAssertEqual(run.sustained[1].framesBySecond?.allSatisfy { (49...51).contains($0) }, true)
        for summary in run.sustained {
            XCTAssertEqual(summary.fps, 50, accuracy: 1)
            XCTAssertEqual(summary.p90, 10, accuracy: 1e-9)
        }
        XCTAssertEqual(run.thermal, ThermalSpan(start: .nominal, end: .fair))
        XCTAssertEqual(run.placement?.neuralEngine, 1)
        let check = try XCTUnwrap(run.selfCheck)
        XCTAssertEqual(check.frames, 2)
        XCTAssertEqual(check.worst, 20, accuracy: 1e-5)
        XCTAssertFalse(check.passed)
    }

    func testMemoryHasBothEndsAndThePeakBetween() async throws {
        let device = try makeDevice()
        // The largest footprint is in the middle of the run and gone at its end.
        device.footprint = { (7..<8).contains($0) ? 5000 : UInt64(1000 + $0) }
        let memory = try await run(device).memory
        XCTAssertEqual(memory?.before, 1000)
        XCTAssertEqual(memory?.afterLoad, 1005)
        XCTAssertEqual(memory?.peak, 5000)
    }

    func testWaitsUntilTheDeviceIsCool() async throws {
        let device = try makeDevice()
        device.thermal = { $0 < 42 ? .serious : .fair }
        let run = try await run(device)
        XCTAssertNil(run.error)
        XCTAssertEqual(run.thermal?.start, .fair)
        XCTAssertGreaterThan(device.clock, 42)
    }

    func testGivesUpOnADeviceThatStaysHot() async throws {
        let device = try makeDevice()
        device.thermal = { _ in .critical }
        let run = try await run(device)
        XCTAssertEqual(run.error, BenchError.tooHot(.critical).localizedDescription)
        XCTAssertTrue(device.compiled.isEmpty)
        XCTAssertEqual(device.clock, ThermalGate.patienceSeconds, accuracy: 10)
    }

    func testABrokenRunKeepsWhatItMeasured() async throws {
        let device = try makeDevice()
        device.failAtFrame = 200
        let run = try await run(device)
        XCTAssertEqual(run.error, "frame 200 failed")
        XCTAssertEqual(run.latency?.count, 50)
        XCTAssertNil(run.memory)
        XCTAssertEqual(run.sustained.count, 0)
    }

    func testWithoutADisplayThereIsNoRate() async throws {
        let device = try makeDevice()
        device.hasDisplay = false
        let run = try await run(device)
        XCTAssertNil(run.error)
        XCTAssertNil(run.displayFps)
    }

    func testACancelledRunIsNoRun() async throws {
        let device = try makeDevice()
        // From within, since a run of a scripted device may end before anyone outside can cancel it.
        device.frameSeconds = { frame in
            if frame == 5 { withUnsafeCurrentTask { $0?.cancel() } }
            return 0.01
        }
        let task = Task { try await self.run(device) }
        do {
            _ = try await task.value
            XCTFail("a cancelled run returned")
        } catch is CancellationError {
        }
    }
}
