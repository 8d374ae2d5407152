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

    private func assertInputs(width: Int, height: Int, shared: Int) async throws {
        let device = StubMetalDevice()
        try await assertInputsByMetal(
            contract: embeddedContract(width: width, height: height), device: device)
        XCTAssertEqual(device.shared, shared)
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
        let whole = try embeddedContract(width: 40, height: 6, element: .float32)
        XCTAssertEqual(InputEncoder.available(for: whole), [.cpu])
        XCTAssertThrowsError(try MetalEncoder.make(whole, asked: .metal)) { error in
            XCTAssertTrue(
                error.localizedDescription.contains("layout embedded in fp32"),
                error.localizedDescription)
        }
        let half = try embeddedContract(width: 40, height: 6)
        XCTAssertEqual(InputEncoder.available(for: half), [.metal, .cpu])
        // Without a device of Metal asking for it fails, else the processor computes.
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
