import CoreML
import CoreVideo
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class NelfModelTests: XCTestCase {
    private func model(_ stub: StubResources) async throws -> NelfModel {
        try await NelfModel(
            compiled: stub.store.compiled(stub.config.models[0].resource), computeUnits: .cpuOnly,
            contract: stub.config.contract)
    }

    private func frame(_ stub: StubResources) async throws -> FrameOutput {
        let model = try await model(stub)
        let pose = stub.config.reference.frames[0].camToWorld
        let uploads = try Uploads(contract: stub.config.contract, pose: pose)
        let (timed, seconds) = try await model.timedFrame(uploads)
        XCTAssertGreaterThanOrEqual(seconds, 0)
        let rendered = try await model.render(.camera(pose)).values()
        XCTAssertEqual(try timed.values().bytes, rendered.bytes)
        return rendered
    }

    private func assertOutput(_ stub: StubResources, line: UInt = #line) async throws {
        let shape = stub.config.contract.output.shape
        let output = try await frame(stub)
        let plane = shape[2] * shape[3]
        let expected = try stub.expectedOutput(frame: 0)
        let values = output.values(at: Array(0..<plane))
        for pixel in 0..<plane {
            for channel in 0..<shape[1] {
                XCTAssertEqual(
                    values[pixel * shape[1] + channel], expected[channel * plane + pixel],
                    line: line)
            }
        }
    }

    func testOutputIsThatOfTheModel() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        try await assertOutput(stub)
    }

    /// Core ML need not write where it was asked to, and pads rows as it likes.
    func testOutputOfAnotherArrayWithPaddedRows() async throws {
        let stub = try StubResources { $0.rowPadding = 5 }
        defer { stub.remove() }
        try await assertOutput(stub)
    }

    func testPictureIsCopiedWithItsPadding() throws {
        let buffer = CVPixelBuffer(width: 3, height: 2, format: kCVPixelFormatType_32BGRA)
        for index in 0..<128 {
            buffer.memory.storeBytes(of: UInt8(index), toByteOffset: index, as: UInt8.self)
        }
        let picture = try copyPicture(buffer, shape: [1, 3, 2, 3])
        XCTAssertEqual(picture.storage, .bgra8(bytesPerRow: 64))
        // Row 1, column 2 begins at byte 64 + 8; red is its third byte.
        XCTAssertEqual(picture.values(at: [5]), [74, 73, 72].map { Float($0) / 255 })
        XCTAssertThrowsError(try copyPicture(buffer, shape: [1, 3, 3, 2]))
    }

    func testModelsThatDoNotFitAreNamed() async throws {
        let changes: [(String, (inout StubModel) -> Void)] = [
            ("input sin_columns is missing", { $0.inputs["sin_columns"] = nil }),
            ("input sin_rows is [1, 2, 3, 4]", { $0.inputs["sin_rows"] = [1, 2, 3, 4] }),
            ("output output is missing", { $0.outputName = "other" }),
            ("output output is [1, 3, 1, 1]", { $0.outputShape = [1, 3, 1, 1] }),
            ("output output is missing", { $0.outputIsImage = true }),
        ]
        for (part, change) in changes {
            let stub = try StubResources(change: change)
            defer { stub.remove() }
            do {
                _ = try await model(stub)
                XCTFail("loaded although \(part)")
            } catch {
                XCTAssertTrue(
                    error.localizedDescription.contains(part), error.localizedDescription)
            }
        }
    }

    func testPlacementByProcessor() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let url = try await stub.store.compiled(stub.config.models[0].resource)
        let probed = try await probePlacement(compiled: url, units: .all)
        let plan = try XCTUnwrap(probed)
        XCTAssertEqual(
            [plan.total.neuralEngine, plan.total.gpu, plan.total.cpu, plan.total.unknown],
            [1, 1, 1, 1])
    }

    func testUnitsKeepTheirNames() {
        XCTAssertEqual(ComputeUnits.cpuOnly.coreML, .cpuOnly)
        XCTAssertEqual(ComputeUnits.cpuAndGPU.coreML, .cpuAndGPU)
        XCTAssertEqual(ComputeUnits.cpuAndNeuralEngine.coreML, .cpuAndNeuralEngine)
        XCTAssertEqual(ComputeUnits.all.coreML, .all)
    }
}
