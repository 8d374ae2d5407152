import CoreML
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// What an app does: a package by its place, and nothing else.
final class LoadingTests: XCTestCase {
    /// A package that carries its contract, as those of mnelf do.
    private func package(
        _ stub: StubResources, metadata: [String: String]? = nil
    ) throws -> URL {
        let json = try JSONEncoder().encode(stub.config.contract)
        var model = try JSONDecoder().decode(
            StubModel.self,
            from: Data(
                contentsOf: stub.root.appendingPathComponent(stub.config.models[0].package)
                    .appendingPathComponent(StubModel.fileName)))
        model.metadata =
            metadata ?? [Contract.metadataKey: String(decoding: json, as: UTF8.self)]
        let name = "Loading-\(UUID().uuidString).mlpackage"
        try stub.write(model, name)
        return stub.root.appendingPathComponent(name)
    }

    func testTheContractComesFromThePackage() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let nelf = try await NelfModel(contentsOf: package(stub))
        XCTAssertEqual(nelf.contract, stub.config.contract)
        try await nelf.prewarm()
        let frame = try await nelf.render(.orbit(azimuth: 0, elevation: 0))
        XCTAssertEqual([frame.height, frame.width], Array(nelf.contract.output.shape[2...]))
        XCTAssertFalse(frame.hasAlpha)
        XCTAssertEqual(try frame.cgImage().width, frame.width)
    }

    func testAPackageForARoomSaysHowTheObjectStands() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let json = try JSONEncoder().encode(stub.config.contract)
        var metadata = [Contract.metadataKey: String(decoding: json, as: UTF8.self)]
        let elsewhere = try await NelfModel(contentsOf: package(stub, metadata: metadata))
        XCTAssertNil(elsewhere.room)
        // As the exporter writes it.
        metadata[RoomSettings.metadataKey] = #"{"foot": 0.75, "head": 1.25, "size_cm": 22.0}"#
        let nelf = try await NelfModel(contentsOf: package(stub, metadata: metadata))
        XCTAssertEqual(nelf.room, RoomSettings(foot: 0.75, head: 1.25, sizeCm: 22))
        metadata[RoomSettings.metadataKey] = #"{"foot": 0.75}"#
        do {
            _ = try await NelfModel(contentsOf: package(stub, metadata: metadata))
            XCTFail("loaded with half of the settings")
        } catch {
            XCTAssertTrue(error.localizedDescription.contains("head is missing"))
        }
    }

    func testAPackageOfSomeoneElseIsNamed() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        for (metadata, part) in [
            ([:], "lack mobile_nelf.contract"), ([Contract.metadataKey: "{}"], "is missing"),
        ] {
            do {
                _ = try await NelfModel(contentsOf: package(stub, metadata: metadata))
                XCTFail("loaded without a contract")
            } catch {
                XCTAssertTrue(
                    error.localizedDescription.contains(part), error.localizedDescription)
            }
        }
        do {
            _ = try await NelfModel(contentsOf: stub.root.appendingPathComponent("no.mlpackage"))
            XCTFail("loaded what is not there")
        } catch {
            XCTAssertEqual(error as? NelfError, .missingFile("no.mlpackage"))
        }
    }

    /// What `NelfLoader` shows.
    @MainActor
    func testALoaderEndsWithAModelOrAReason() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let url = try package(stub)
        let loading = Loading()
        await loading.run { try await NelfModel(contentsOf: url) }
        guard case .ready(let model) = loading.state else { return XCTFail("not loaded") }
        XCTAssertEqual(model.contract, stub.config.contract)
        let bundle = try XCTUnwrap(Bundle(path: stub.root.path))
        let name = url.deletingPathExtension().lastPathComponent
        await loading.run { try await NelfModel(named: name, in: bundle) }
        guard case .ready = loading.state else { return XCTFail("not found by its name") }
        await loading.run { try await NelfModel(named: "other", in: bundle) }
        guard case .failed(let reason) = loading.state else { return XCTFail("found") }
        XCTAssertTrue(reason.hasPrefix("other.mlpackage is not in the app"), reason)
    }

    @MainActor
    func testALoaderThatIsNotWantedAnyMoreKeepsStill() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let url = try package(stub)
        let loading = Loading()
        for place in [url, stub.root.appendingPathComponent("no.mlpackage")] {
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                await loading.run { try await NelfModel(contentsOf: place) }
            }
            task.cancel()
            await task.value
            guard case .running = loading.state else { return XCTFail("\(loading.state)") }
        }
    }

    func testMoreFramesThanBuffersAllArrive() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let nelf = try await NelfModel(contentsOf: package(stub))
        let pose = stub.config.reference.frames[0].camToWorld
        let expected = try stub.expectedOutput(frame: 0)[0]
        let values = try await withThrowingTaskGroup(of: Float.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    try await nelf.render(.camera(pose)).values().values(at: [0])[0]
                }
            }
            return try await group.reduce(into: [Float]()) { $0.append($1) }
        }
        XCTAssertEqual(values, [Float](repeating: expected, count: 12))
    }

    func testACancelledFrameIsNotRendered() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let nelf = try await NelfModel(contentsOf: package(stub))
        let task = Task {
            // Begins when it was cancelled already.
            while !Task.isCancelled { await Task.yield() }
            return try await nelf.render(.orbit(azimuth: 0, elevation: 0)).width
        }
        task.cancel()
        do {
            _ = try await task.value
            XCTFail("a cancelled task rendered")
        } catch is CancellationError {
        }
    }

    @MainActor
    func testAPlayerShowsANewFrameForEachViewpoint() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let player = NelfPlayer(
            model: try await NelfModel(contentsOf: package(stub)), turnsWhenIdle: false)
        player.start()
        defer { player.stop() }
        for step in 1...200 where player.framesPerSecond == nil {
            player.drag(dx: Double(step % 7), dy: 0, size: 180)
            try await Task.sleep(nanoseconds: 20_000_000)
        }
        XCTAssertNotNil(player.framesPerSecond)
        XCTAssertEqual(player.message, "")
    }

    @MainActor
    func testNothingIsCountedOnAScreenThatNobodySees() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let device = CoreMLDevice(
            store: stub.store, config: stub.config, screen: FrameScreen())
        let predictor = try await device.load(benchPlan(stub.config)[0])
        let rate = try await device.displayRate(
            predictor, poses: [stub.config.reference.frames[0].camToWorld], seconds: 0.1)
        XCTAssertNil(rate)
    }

    @MainActor
    func testFramesOnAScreenAreCounted() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let screen = FrameScreen()
        let view = screen.attach()
        let device = CoreMLDevice(
            store: stub.store, config: stub.config, screen: screen)
        let predictor = try await device.load(benchPlan(stub.config)[0])
        let shown = try await device.displayRate(
            predictor, poses: stub.config.reference.frames.map(\.camToWorld), seconds: 0.5)
        let rate = try XCTUnwrap(shown)
        XCTAssertGreaterThan(rate.framesPerSecond, 1)
        XCTAssertLessThanOrEqual(rate.framesPerSecond, 130)
        XCTAssertEqual(rate.refreshRate, 60)
        withExtendedLifetime(view) {}
    }
}
