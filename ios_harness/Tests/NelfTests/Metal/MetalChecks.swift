import Foundation
import Metal
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// Returns a contract of layout `embedded` on a grid of rays.
func embeddedContract(
    width: Int, height: Int, element: ElementType = .float16
) throws -> Contract {
    let config = try BenchConfig(data: vectorData("layouts-bench.json"))
    let plain = try JSONEncoder().encode(config.contract(of: config.models[3]))
    var json = try XCTUnwrap(JSONSerialization.jsonObject(with: plain) as? [String: Any])
    var student = try XCTUnwrap(json["student"] as? [String: Any])
    student["ray_width"] = width
    student["ray_height"] = height
    json["student"] = student
    let encoder = config.contract.student.encoder
    let channels = 3 * encoder.samples * (2 * encoder.frequencies + 1)
    let input: [String: Any] = [
        "name": "input", "shape": [1, channels, height, width], "dtype": element.rawValue,
    ]
    json["inputs"] = [input]
    return try Contract(json: JSONSerialization.data(withJSONObject: json))
}

/// Compares what Metal writes into a model's input with what the processor would.
func assertInputsByMetal(contract: Contract, device: any MTLDevice) async throws {
    let pose = contract.orbit.pose(contract.orbit.middle)
    let inputs = try FrameInputs(contract, encoder: MetalEncoder(device))
    try await inputs.fill(pose)
    let found = try inputs.read().tensors[0]
    let expected = try Uploads(contract: contract, pose: pose).tensors[0]
    XCTAssertEqual(found.count, expected.count)
    var different = 0
    for index in 0..<expected.count where found[index] != expected[index] {
        different += 1
        // The next of the numbers in half precision: it was rounded to single before.
        XCTAssertEqual(
            found[index], expected[index], accuracy: max(abs(expected[index]), 6.2e-5) / 1000)
    }
    XCTAssertLessThan(Double(different), 0.005 * Double(expected.count))
    // Numbers that were computed before go to the same place.
    let elsewhere = contract.orbit.pose(contract.orbit.sweep(3)[0])
    let other = try Uploads(contract: contract, pose: elsewhere)
    inputs.fill(other)
    XCTAssertEqual(try inputs.read().tensors, other.tensors)
}
