import CoreML
import Foundation
import NelfBenchCore
import XCTest

@testable import NelfBenchCoreML

final class ModelStoreTests: XCTestCase {
    func testKeepsACompiledCopyForEachPackage() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let first = try await stub.store.compiled(stub.config.models[0])
        let second = try await stub.store.compiled(stub.config.models[1])
        XCTAssertNotEqual(first, second)
        XCTAssertEqual(first.pathExtension, "mlmodelc")
        XCTAssertTrue(first.lastPathComponent.contains(stub.config.models[0].packageSHA256))
        let marker = first.appendingPathComponent("marker")
        try Data().write(to: marker)
        let again = try await stub.store.compiled(stub.config.models[0])
        XCTAssertEqual(again.path, first.path)
        XCTAssertTrue(FileManager.default.fileExists(atPath: marker.path), "compiled once more")
    }

    func testCompilesAnewWhenAsked() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let model = stub.config.models[0]
        let place = try await stub.store.compiled(model)
        let marker = place.appendingPathComponent("marker")
        try Data().write(to: marker)
        let seconds = try await stub.store.compile(model)
        XCTAssertNotNil(seconds)
        XCTAssertFalse(FileManager.default.fileExists(atPath: marker.path), "the old copy stayed")
    }

    func testAModelThatXcodeCompiledComesFirst() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let model = stub.config.models[0]
        let carried = stub.root.appendingPathComponent("\(model.stem).mlmodelc")
        try FileManager.default.copyItem(
            at: stub.root.appendingPathComponent(model.package), to: carried)
        let found = try await stub.store.compiled(model)
        XCTAssertEqual(found.path, carried.path)
        let seconds = try await stub.store.compile(model)
        XCTAssertNil(seconds)
    }

    func testAMissingPackageIsNamed() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let model = stub.config.models[1]
        try FileManager.default.removeItem(at: stub.root.appendingPathComponent(model.package))
        do {
            _ = try await stub.store.compiled(model)
            XCTFail("found a package that is not there")
        } catch {
            XCTAssertEqual(error as? BenchError, .missingFile(model.package))
        }
    }
}
