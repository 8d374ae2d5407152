import CoreML
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// Inputs by Metal, on a stand-in for a device of Metal.
final class MetalEncoderTests: XCTestCase {
    private struct Vector: Decodable {
        let contract: Contract
        let cam_to_world: Pose
    }

    /// The contract of layout `embedded` in fp16 on another grid of rays.
    private func contract(width: Int, height: Int, element: ElementType = .float16) throws
        -> Contract
    {
        let config = try BenchConfig(data: vectorData("layouts-bench.json"))
        let plain = try JSONEncoder().encode(config.contract(of: config.models[3]))
        var json = try XCTUnwrap(
            JSONSerialization.jsonObject(with: plain) as? [String: Any])
        var student = try XCTUnwrap(json["student"] as? [String: Any])
        student["ray_width"] = width
        student["ray_height"] = height
        json["student"] = student
        let encoder = config.contract.student.encoder
        let channels = 3 * encoder.samples * (2 * encoder.frequencies + 1)
        json["inputs"] = [
            [
                "name": "input", "shape": [1, channels, height, width],
                "dtype": element.rawValue,
            ] as [String: Any]
        ]
        return try Contract(json: JSONSerialization.data(withJSONObject: json))
    }

    private func assertInputs(width: Int, height: Int, shared: Int) async throws {
        let contract = try contract(width: width, height: height)
        let pose = contract.orbit.pose(contract.orbit.middle)
        let device = StubMetalDevice()
        let inputs = try FrameInputs(contract, encoder: MetalEncoder(device))
        XCTAssertEqual(device.shared, shared)
        try await inputs.fill(pose)
        let found = try inputs.read().tensors[0]
        let expected = try Uploads(contract: contract, pose: pose).tensors[0]
        XCTAssertEqual(found.count, expected.count)
        var different = 0
        for index in 0..<expected.count where found[index] != expected[index] {
            different += 1
            // The next of the numbers in half precision: single was rounded before.
            XCTAssertEqual(
                found[index], expected[index],
                accuracy: max(abs(expected[index]), 6.2e-5) / 1000)
        }
        XCTAssertLessThan(Double(different), 0.005 * Double(expected.count))
        // Numbers that were computed before go to the same place.
        let other = try Uploads(contract: contract, pose: contract.orbit.sweep(3).map {
            contract.orbit.pose($0)
        }[0])
        inputs.fill(other)
        XCTAssertEqual(try inputs.read().tensors, other.tensors)
    }

    func testMetalWritesIntoSharedMemory() async throws {
        try await assertInputs(width: 40, height: 6, shared: 1)
    }

    func testShortRowsLieInMemoryOfMetal() async throws {
        try await assertInputs(width: 7, height: 5, shared: 0)
    }

    /// 78 channels of 211 rows: the system may make no pixel buffer of so many.
    func testMoreRowsThanAPixelBufferMayHave() async throws {
        try await assertInputs(width: 33, height: 211, shared: 0)
    }

    func testWhatMetalCannotDoIsSaid() throws {
        let whole = try contract(width: 40, height: 6, element: .float32)
        XCTAssertEqual(InputEncoder.available(for: whole), [.cpu])
        XCTAssertThrowsError(try MetalEncoder.make(whole, asked: .metal)) { error in
            XCTAssertTrue(
                error.localizedDescription.contains("layout embedded in fp32"),
                error.localizedDescription)
        }
        let half = try contract(width: 40, height: 6)
        XCTAssertEqual(InputEncoder.available(for: half), [.metal, .cpu])
        // Here is no device of Metal: asked for it fails, else the processor computes.
        XCTAssertThrowsError(try MetalEncoder.make(half, asked: .metal)) { error in
            guard case NelfError.noEncoder = error else { return XCTFail("\(error)") }
        }
        XCTAssertNil(try MetalEncoder.make(half, asked: nil))
        XCTAssertNil(try MetalEncoder.make(half, asked: .cpu))
    }

    /// What the kernel is given; the tests in Python run its text on it.
    func testTablesForTheKernel() throws {
        let cases: [Vector] = try vectors("layouts.json")
        let camera = cases[0].contract.rayCamera(cases[0].cam_to_world)
        let tables = EmbeddedTables(camera, encoder: cases[0].contract.student.encoder)
        XCTAssertEqual(
            tables.values.count,
            EmbeddedTables.count(
                width: camera.intrinsics.width, height: camera.intrinsics.height,
                encoder: cases[0].contract.student.encoder))
        let numbers = tables.sizes.map { Double($0) } + tables.values.map { Double($0) }
        print("TABLES \(try JSONEncoder().encode(numbers).base64EncodedString())")
    }
}
