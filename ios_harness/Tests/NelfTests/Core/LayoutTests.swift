import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class LayoutTests: XCTestCase {
    private struct Vector: Decodable {
        let contract: Contract
        let cam_to_world: Pose
        let uploads: [String: [String: [Double]]]
        let halves: [String: [String: [UInt16]]]
    }

    func testUploadsOfEveryLayoutEqualThoseOfPython() throws {
        let cases: [Vector] = try vectors("layouts.json")
        XCTAssertFalse(cases.isEmpty)
        for vector in cases {
            XCTAssertEqual(vector.uploads.count, 4)
            let camera = vector.contract.rayCamera(vector.cam_to_world)
            for (name, expected) in vector.uploads {
                let layout = try XCTUnwrap(InputLayout(rawValue: name))
                let uploads = layout.host(camera, encoder: vector.contract.student.encoder)
                XCTAssertEqual(Set(uploads.keys), Set(expected.keys))
                for (tensor, values) in expected {
                    assertClose(uploads[tensor] ?? [], values, "\(name) \(tensor)")
                }
            }
        }
    }

    func testUploadsInHalfPrecisionEqualThoseOfPython() throws {
        let cases: [Vector] = try vectors("layouts.json")
        for vector in cases {
            XCTAssertEqual(vector.halves.count, 4)
            let camera = vector.contract.rayCamera(vector.cam_to_world)
            for (name, expected) in vector.halves {
                let layout = try XCTUnwrap(InputLayout(rawValue: name))
                let uploads = layout.host(camera, encoder: vector.contract.student.encoder)
                for (tensor, bits) in expected {
                    guard case .float16(let found) = TensorValues(
                        uploads[tensor] ?? [], as: .float16)
                    else { return XCTFail("not in half precision") }
                    // Both zeros are zero.
                    XCTAssertEqual(
                        found.map { $0 == 0x8000 ? 0 : $0 }, bits.map { $0 == 0x8000 ? 0 : $0 },
                        "\(name) \(tensor)")
                }
            }
        }
    }

    /// The slow way: the encoding of every pixel from its own point.
    func testFactoredTablesGiveTheEmbeddedEncoding() throws {
        let cases: [Vector] = try vectors("layouts.json")
        for vector in cases {
            let encoder = vector.contract.student.encoder
            let camera = vector.contract.rayCamera(vector.cam_to_world)
            let (width, height) = (camera.intrinsics.width, camera.intrinsics.height)
            let tables = FactoredTables(
                rays: RayMap(camera), width: width, height: height, depths: encoder.depths,
                frequencies: encoder.frequencies)
            let encoded = encodedSamples(
                camera, depths: encoder.depths, frequencies: encoder.frequencies)
            let coordinates = 3 * encoder.samples
            for level in 0..<encoder.frequencies {
                for coordinate in 0..<coordinates {
                    let phase = level * coordinates + coordinate
                    let channel = coordinate * (2 * encoder.frequencies + 1) + level
                    for row in 0..<height {
                        for column in 0..<width {
                            let (u, v) = (phase * width + column, phase * height + row)
                            let sine =
                                tables.sinColumns[u] * tables.cosRows[v]
                                + tables.cosColumns[u] * tables.sinRows[v]
                            let place = (channel * height + row) * width + column
                            XCTAssertEqual(sine, encoded[place], accuracy: doubleTolerance)
                        }
                    }
                }
            }
        }
    }

    func testUploadsFollowTheContract() throws {
        let cases: [Vector] = try vectors("layouts.json")
        let vector = cases[0]
        let uploads = try Uploads(contract: vector.contract, pose: vector.cam_to_world)
        XCTAssertEqual(uploads.tensors.map(\.count), vector.contract.inputs.map(\.count))
        let expected = vector.uploads["factored"]?["point_rows"] ?? []
        XCTAssertEqual(uploads.tensors.last, .float32(expected.map { Float($0) }))
    }
}
