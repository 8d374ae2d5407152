import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class HalfTests: XCTestCase {
    /// Every half, what lies in the middle between two and beside it, and what is not a number.
    func testByHandEqualsTheCompilersOwn() {
        for bits in UInt16.min...UInt16.max {
            let half = Float16(bitPattern: bits)
            let value = Float(half)
            if half.isNaN {
                XCTAssertTrue(floatOfHalfByHand(bits).isNaN)
                continue
            }
            XCTAssertEqual(floatOfHalfByHand(bits).bitPattern, value.bitPattern)
            guard half.isFinite else { continue }
            let between = value + ((half.nextUp.isFinite ? Float(half.nextUp) : 65536) - value) / 2
            for near in [value, between.nextDown, between, between.nextUp] {
                if halfBitsByHand(near) != Float16(near).bitPattern {
                    return XCTFail("\(near)")
                }
            }
        }
        XCTAssertTrue(Float16(bitPattern: halfBitsByHand(.nan)).isNaN)
        XCTAssertEqual(halfBitsByHand(-.infinity), 0xfc00)
        XCTAssertEqual(halfBitsByHand(1e30), 0x7c00)
    }

    func testADoubleIsRoundedOnce() {
        // By way of a float the tie would be lost: 1 + 2⁻¹¹ + 2⁻⁴⁰ is above the middle.
        let value = 1 + 0x1p-11 + 0x1p-40
        XCTAssertEqual(TensorValues([value], as: .float16), .float16([0x3c01]))
        XCTAssertEqual(TensorValues([value], as: .float32)[0], Float(value))
    }
}
