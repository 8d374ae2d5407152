import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class ReportTests: XCTestCase {
    private func identity() throws -> BenchConfig {
        try BenchConfig(data: vectorData("bench.json"))
    }

    /// The same file is read by the tests of `mnelf bench import`.
    func testWritesTheSharedResultFile() throws {
        let plan = benchPlan(try identity())
        let shared = try JSONDecoder.report.decode(
            BenchReport.self, from: vectorData("result.json"))
        XCTAssertEqual(shared.runs.count, 2)
        XCTAssertEqual(shared.runs[0].model, plan[0].model.package)
        let written = try JSONSerialization.jsonObject(with: shared.json()) as? NSDictionary
        let expected =
            try JSONSerialization.jsonObject(with: vectorData("result.json")) as? NSDictionary
        XCTAssertNotNil(written)
        XCTAssertEqual(written, expected)
    }

    func testRunsOfAPlanAreDistinct() throws {
        let plan = benchPlan(try identity())
        XCTAssertEqual(plan.count, 2 * 4)
        XCTAssertEqual(Set(plan).count, plan.count)
        XCTAssertEqual(Set(plan.map(\.units)), Set(ComputeUnits.allCases))
        XCTAssertEqual(plan[0].units, .cpuAndNeuralEngine)
        XCTAssertEqual(Set(plan.map(\.encoder)), [.cpu])
    }

    func testAModelThatMetalCanFeedHasRunsOfBothKinds() throws {
        let config = try BenchConfig(data: vectorData("layouts-bench.json"))
        XCTAssertEqual(
            config.models.map { config.contract(of: $0).layout },
            [.factored, .rays, .camera, .embedded])
        let plan = benchPlan(config)
        XCTAssertEqual(plan.count, 4 * 4 + 4)
        XCTAssertEqual(Set(plan).count, plan.count)
        let byMetal = plan.filter { $0.encoder == .metal }
        XCTAssertEqual(Set(byMetal.map(\.model.stem)), ["Mic-embedded"])
        XCTAssertEqual(Set(byMetal.map(\.units)), Set(ComputeUnits.allCases))
    }

    func testFileNameSaysBundleDeviceAndTime() throws {
        let report = try JSONDecoder.report.decode(
            BenchReport.self, from: vectorData("result.json"))
        XCTAssertEqual(report.fileName, "Vector-Test1,1-2001-01-01T000000Z.json")
    }

    func testPlacementLeavesConstantsOut() {
        let plan = PlacementPlan([
            PlacedOperation("const", .unknown),
            PlacedOperation("ios16.constexpr_lut_to_dense", .unknown),
            PlacedOperation("ios17.conv", .neuralEngine, cost: 0.6, onNeuralEngine: true),
            PlacedOperation("ios17.conv", .gpu, cost: 0.1, onNeuralEngine: true),
            PlacedOperation("ios17.add", .neuralEngine, cost: 0.1, onNeuralEngine: true),
            PlacedOperation("ios17.concat", .unknown), PlacedOperation("ios17.mul", .cpu),
        ])
        XCTAssertEqual(plan.total.neuralEngine, 2)
        XCTAssertEqual(
            [plan.total.gpu, plan.total.cpu, plan.total.unknown], [1, 1, 1])
        XCTAssertEqual(plan.byOperation["ios17.conv"], ["neural_engine": 1, "gpu": 1])
        XCTAssertNil(plan.byOperation["const"])
        XCTAssertEqual(plan.neuralEngineSupported, 3)
        let cost = plan.cost ?? [:]
        XCTAssertEqual(cost["neural_engine"] ?? 0, 0.875, accuracy: 1e-9)
        XCTAssertEqual(cost.values.reduce(0, +), 1, accuracy: 1e-9)
    }

    func testATimelineCountsFramesBySecond() {
        var timeline = Timeline()
        for time in [0.2, 0.9, 1.1, 3.5] { timeline.add(at: time, heat: .fair) }
        // The last second is not whole; in the third nothing ended.
        XCTAssertEqual(timeline.frames, [2, 1, 0])
        XCTAssertEqual(timeline.heat, [.fair, .fair, .fair])
    }

    func testSelfCheckJudgesTheWorstFrame() {
        XCTAssertTrue(SelfCheck(psnr: [60, 50], required: 50).passed)
        let check = SelfCheck(psnr: [60, 49.9], required: 50)
        XCTAssertFalse(check.passed)
        XCTAssertEqual(check.worst, 49.9)
    }
}

extension JSONDecoder {
    static var report: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }
}
