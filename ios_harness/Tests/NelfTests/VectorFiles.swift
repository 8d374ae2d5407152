import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// Double precision on both sides; phases reach a few hundred, where one rounding is 3e-14, and the
/// sine passes that on.
let doubleTolerance = 1e-12

/// Returns a file that `tests/golden/write_vectors.py` wrote.
func vectorData(_ name: String) throws -> Data {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return try Data(contentsOf: folder.appendingPathComponent("Vectors/\(name)"))
}

func vectors<T: Decodable>(_ name: String) throws -> T {
    try JSONDecoder().decode(T.self, from: vectorData(name))
}

func assertClose(
    _ values: [Double], _ expected: [Double], _ what: String, file: StaticString = #filePath,
    line: UInt = #line
) {
    XCTAssertEqual(values.count, expected.count, what, file: file, line: line)
    for (index, pair) in zip(values, expected).enumerated()
    where !(abs(pair.0 - pair.1) <= doubleTolerance) {
        XCTFail("\(what)[\(index)] is \(pair.0), expected \(pair.1)", file: file, line: line)
        return
    }
}
