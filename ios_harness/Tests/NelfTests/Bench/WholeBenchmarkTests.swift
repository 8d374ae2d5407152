import CoreML
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class WholeBenchmarkTests: XCTestCase {
    /// The app's way from `bench.json` to the shared file, with the stub in place of Core ML.
    func testFromResourcesToTheSharedFile() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        // The last model does not load, as one may on a device.
        var broken = StubModel(inputs: [:], outputName: "output", outputShape: [1, 3, 1, 1])
        broken.loadError = "made up"
        try stub.write(broken, stub.config.models[1].package)

        let runner = BenchRunner(
            config: stub.config, reference: try reference(stub),
            options: BenchOptions(
                latencyFrames: 20, displaySeconds: 0.1, sustainedSeconds: [0.2]),
            device: CoreMLDevice(store: stub.store, config: stub.config))
        var report = BenchReport(
            device: DeviceDescription(
                model: probeDeviceModel(), os: "Linux", appVersion: "0", lowPower: false),
            date: Date(), bundle: stub.config.bundle, runs: [])
        for item in benchPlan(stub.config) {
            report.runs.append(try await runner.run(item) { _ in })
        }
        let works = report.runs.map { $0.error == nil }
        XCTAssertEqual(works, (0..<8).map { $0 < 4 })
        XCTAssertEqual(report.runs.last?.error, "made up")
        for run in report.runs.prefix(4) {
            XCTAssertEqual(run.selfCheck?.worst, identicalDecibels)
            XCTAssertEqual(run.selfCheck?.passed, true)
            XCTAssertEqual(run.latency?.count, 20)
            XCTAssertNotNil(run.inputsMs)
            XCTAssertEqual(run.sustained.count, 1)
            XCTAssertEqual(run.placementByOperation?["ios17.add"], ["unknown": 1])
        }
        // For the tests in Python, which read it as `mnelf bench import` does.
        print("RESULT \(try report.json().base64EncodedString())")
    }

    private func reference(_ stub: StubResources) throws -> ReferencePixels {
        let shape = stub.config.contract.output.shape
        let plane = shape[2] * shape[3]
        var bytes = Data()
        for frame in stub.config.reference.frames.indices {
            let output = try stub.expectedOutput(frame: frame)
            for pixel in 0..<plane {
                for channel in 0..<shape[1] {
                    let bits = output[channel * plane + pixel].bitPattern.littleEndian
                    withUnsafeBytes(of: bits) { bytes.append(contentsOf: $0) }
                }
            }
        }
        return try ReferencePixels(data: bytes, config: stub.config)
    }
}
