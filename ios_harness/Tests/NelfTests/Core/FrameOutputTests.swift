import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class FrameOutputTests: XCTestCase {
    func testPlanarValues() throws {
        let values = (0..<2 * 3 * 2).map(Float.init)
        let bytes = values.withUnsafeBytes { Data($0) }
        let frame = try FrameOutput(
            storage: .planarFloat32, width: 2, height: 3, channels: 2, bytes: bytes)
        XCTAssertEqual(frame.values(at: [0, 5]), [0, 6, 5, 11])
    }

    func testPictureValuesAreRedGreenBlueOfPaddedRows() throws {
        // Two rows of two pixels, blue first, each row followed by four bytes of padding.
        let rows: [[UInt8]] = [
            [1, 2, 3, 255, 4, 5, 6, 255, 0, 0, 0, 0],
            [7, 8, 9, 255, 51, 102, 153, 255, 0, 0, 0, 0],
        ]
        let frame = try FrameOutput(
            storage: .bgra8(bytesPerRow: 12), width: 2, height: 2, channels: 3,
            bytes: Data(rows.flatMap { $0 }))
        XCTAssertEqual(frame.values(at: [3]), [0.6, 0.4, 0.2])
        XCTAssertEqual(frame.values(at: [1]), [6, 5, 4].map { Float($0) / 255 })
    }

    func testPlanarValuesInHalfPrecision() throws {
        let bits = (0..<2 * 3 * 2).map { halfBits(Double($0) / 8) }
        let frame = try FrameOutput(
            storage: .planarFloat16, width: 2, height: 3, channels: 2,
            bytes: bits.withUnsafeBytes { Data($0) })
        XCTAssertEqual(frame.values(at: [0, 5]), [0, 0.75, 0.625, 1.375])
        XCTAssertThrowsError(
            try FrameOutput(
                storage: .planarFloat16, width: 2, height: 3, channels: 2, bytes: Data(count: 23)))
    }

    func testTooFewBytesAreRefused() {
        XCTAssertThrowsError(
            try FrameOutput(
                storage: .planarFloat32, width: 2, height: 2, channels: 3, bytes: Data(count: 47)))
    }
}
