import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class StatisticsTests: XCTestCase {
    private struct Vectors: Decodable {
        struct Latency: Decodable {
            let samples: [Double]
            let mean: Double
            let percentiles: [String: Double]
        }

        struct Picture: Decodable {
            let values: [Float]
            let reference: [Float]
            let db: Double
        }

        struct Spread: Decodable {
            let count: Int
            let total: Int
            let every: Int
            let positions: [Int]
        }

        let latencies: [Latency]
        let psnr: [Picture]
        let spreads: [Spread]
    }

    func testPercentilesEqualThoseOfPython() throws {
        let cases: Vectors = try vectors("statistics.json")
        for latency in cases.latencies {
            for (name, expected) in latency.percentiles {
                let p = try XCTUnwrap(Double(name))
                XCTAssertEqual(
                    percentile(p, of: latency.samples.shuffled()), expected,
                    accuracy: doubleTolerance * 1000, "p\(name)")
            }
            let summary = try XCTUnwrap(
                LatencySummary(seconds: latency.samples.map { $0 / 1000 }))
            XCTAssertEqual(summary.mean, latency.mean, accuracy: 1e-9)
            XCTAssertEqual(summary.count, latency.samples.count)
            XCTAssertEqual(summary.min, latency.percentiles["0"] ?? .nan, accuracy: 1e-9)
            XCTAssertEqual(summary.max, latency.percentiles["100"] ?? .nan, accuracy: 1e-9)
            XCTAssertEqual(summary.p99, latency.percentiles["99"] ?? .nan, accuracy: 1e-9)
        }
        XCTAssertNil(LatencySummary(seconds: []))
    }

    func testFramesASecondCountWhatIsBetweenFrames() throws {
        let run = try XCTUnwrap(SustainedSummary(elapsed: 2, frameSeconds: [0.1, 0.1, 0.2]))
        XCTAssertEqual(run.fps, 1.5)
        XCTAssertEqual(run.p50, 100)
        XCTAssertNil(SustainedSummary(elapsed: 2, frameSeconds: []))
    }

    func testPSNREqualsThatOfPython() throws {
        let cases: Vectors = try vectors("statistics.json")
        for picture in cases.psnr {
            XCTAssertEqual(
                psnr(picture.values, reference: picture.reference), picture.db, accuracy: 1e-9)
        }
    }

    func testPSNROfEqualAndOfBrokenPicturesFitsIntoJSON() {
        XCTAssertEqual(psnr([0.5, 1], reference: [0.5, 1]), identicalDecibels)
        for broken in [Float.nan, .infinity, -.infinity] {
            XCTAssertLessThan(psnr([broken, 1], reference: [0.5, 1]), -100)
        }
    }

    func testPositionsOfReferencePixelsEqualThoseOfPython() throws {
        let cases: Vectors = try vectors("statistics.json")
        for spread in cases.spreads {
            let positions = ReferencePixels.spread(spread.count, over: spread.total)
            XCTAssertEqual(positions.count, spread.count)
            let some = stride(from: 0, to: spread.count, by: spread.every).map { positions[$0] }
            XCTAssertEqual(some, spread.positions)
        }
    }

    func testWarmUpEndsWhenTheMedianStands() {
        var warmUp = WarmUp()
        // Falls for three windows, then stands.
        let falling = [15.0, 12.0, 9.0].flatMap { [Double](repeating: $0, count: 10) }
        for time in falling { warmUp.add(time) }
        XCTAssertFalse(warmUp.isFinished)
        while !warmUp.isFinished { warmUp.add(9) }
        XCTAssertEqual(warmUp.frames, 50)
    }

    func testOneSlowFrameDoesNotProlongTheWarmUp() {
        var warmUp = WarmUp()
        while !warmUp.isFinished { warmUp.add(warmUp.frames % 10 == 3 ? 100 : 8) }
        XCTAssertEqual(warmUp.frames, 30)
    }

    func testWarmUpEndsInAnyCase() {
        var warmUp = WarmUp()
        var time = 1.0
        while !warmUp.isFinished {
            warmUp.add(time)
            time *= 1.1
        }
        XCTAssertEqual(warmUp.frames, WarmUp.maximumFrames)
    }

    func testThermalGate() {
        XCTAssertEqual(ThermalLevel.allCases.sorted(), [.nominal, .fair, .serious, .critical])
        XCTAssertEqual(
            ThermalLevel.allCases.map { ThermalGate.mayStart($0) }, [true, true, false, false])
        XCTAssertEqual(ThermalGate.decide(.fair, waited: 1e9), .start)
        XCTAssertEqual(ThermalGate.decide(.serious, waited: 0), .wait)
        XCTAssertEqual(
            ThermalGate.decide(.critical, waited: ThermalGate.patienceSeconds), .giveUp)
    }
}
