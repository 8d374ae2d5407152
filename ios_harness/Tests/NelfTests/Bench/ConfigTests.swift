import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class ConfigTests: XCTestCase {
    func testReadsWhatTheExporterWrites() throws {
        let config = try BenchConfig(data: vectorData("bench.json"))
        XCTAssertEqual(config.bundle.name, "Vector")
        XCTAssertEqual(config.contract.layout, .factored)
        XCTAssertEqual(config.contract.outputForm, .tensor)
        XCTAssertEqual(config.models.map(\.stem), ["Mic", "Mic-palette6"])
        XCTAssertEqual(config.models.map(\.minPSNR), [50, 45])
        XCTAssertEqual(config.reference.frames.map(\.file), ["frame_000.png", "frame_001.png"])
    }

    func testAppComputesTheUploadsOfTheExporter() throws {
        let config = try BenchConfig(data: vectorData("bench.json"))
        let samples = config.reference.uploads
        XCTAssertEqual(samples.count, config.contract.inputs.count)
        let uploads = try Uploads(
            contract: config.contract, pose: config.reference.frames[0].camToWorld)
        try check(uploads, samples, contract: config.contract)
        let other = try Uploads(
            contract: config.contract, pose: config.reference.frames[1].camToWorld)
        XCTAssertThrowsError(try check(other, samples, contract: config.contract)) { error in
            guard case BenchError.wrongUpload = error else {
                return XCTFail("another pose ended with \(error)")
            }
        }
    }

    func testEachModelHasItsOwnLayoutAndUploads() throws {
        let config = try BenchConfig(data: vectorData("layouts-bench.json"))
        for model in config.models {
            let contract = config.contract(of: model)
            let uploads = try Uploads(
                contract: contract, pose: config.reference.frames[0].camToWorld)
            XCTAssertEqual(config.uploads(of: model).count, contract.inputs.count)
            try check(uploads, config.uploads(of: model), contract: contract)
        }
        let types = config.models.map { config.contract(of: $0).inputs[0].element }
        XCTAssertEqual(types, [.float16, .float32, .float32, .float16])
    }

    private func assertBad(
        _ change: (inout [String: Any]) -> Void, _ part: String, line: UInt = #line
    ) throws {
        let plain = try JSONSerialization.jsonObject(with: vectorData("bench.json"))
        var json = try XCTUnwrap(plain as? [String: Any])
        change(&json)
        let data = try JSONSerialization.data(withJSONObject: json)
        XCTAssertThrowsError(try BenchConfig(data: data), line: line) { error in
            XCTAssertTrue(error is BenchError, "\(error)", line: line)
            XCTAssertTrue(
                error.localizedDescription.contains(part), error.localizedDescription, line: line)
        }
    }

    func testBrokenFilesAreNamed() throws {
        try assertBad({ $0["schema"] = 2 }, "schema 2")
        try assertBad({ $0["schema"] = nil }, "schema is missing")
        try assertBad({ $0["models"] = [Any]() }, "names no model")
        try assertBad({ $0["bundle"] = ["name": "Mic"] }, "bundle.weights_sha256 is missing")
        try assertBad({ $0["mnelf_version"] = 1 }, "mnelf_version")
        XCTAssertThrowsError(try BenchConfig(data: Data("no JSON".utf8))) { error in
            XCTAssertTrue(error is BenchError, "\(error)")
        }
    }

    func testReferencePixelsAreLittleEndianFloats() throws {
        let config = try BenchConfig(data: vectorData("bench.json"))
        let count = config.reference.pixelsPerFrame * config.contract.output.shape[1]
        let values = (0..<2 * count).map { Float($0) / 8 }
        let data = values.reduce(into: Data()) { data, value in
            withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
        }
        let reference = try ReferencePixels(data: data, config: config)
        XCTAssertEqual(reference.positions.count, config.reference.pixelsPerFrame)
        XCTAssertEqual(reference.values(frame: 1).first, Float(count) / 8)
        XCTAssertThrowsError(try ReferencePixels(data: data.dropLast(), config: config))
    }

    func testResourcesAreFoundWhereverTheBuildPutsThem() throws {
        let root = FileManager.default.temporaryDirectory
            .appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: root) }
        for (folder, name) in [
            ("", "top"), ("Resources", "inside"), ("App_App.bundle", "nested"),
            ("App_App.bundle/Resources", "deep"), ("Other", "elsewhere"),
        ] {
            let place = root.appendingPathComponent(folder)
            try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
            try Data(name.utf8).write(to: place.appendingPathComponent(name))
        }
        let resources = ResourceFolder(root)
        for name in ["top", "inside", "nested", "deep"] {
            XCTAssertEqual(try resources.data(name), Data(name.utf8))
        }
        XCTAssertThrowsError(try resources.data("elsewhere")) { error in
            XCTAssertEqual(error as? NelfError, .missingFile("elsewhere"))
        }
    }
}
