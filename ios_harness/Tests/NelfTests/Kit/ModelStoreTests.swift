import CoreML
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class ModelStoreTests: XCTestCase {
    func testKeepsACompiledCopyForEachPackage() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let first = try await stub.store.compiled(stub.config.models[0].resource)
        let second = try await stub.store.compiled(stub.config.models[1].resource)
        XCTAssertNotEqual(first, second)
        XCTAssertEqual(first.pathExtension, "mlmodelc")
        XCTAssertTrue(first.lastPathComponent.contains(stub.config.models[0].packageSHA256))
        let marker = first.appendingPathComponent("marker")
        try Data().write(to: marker)
        let again = try await stub.store.compiled(stub.config.models[0].resource)
        XCTAssertEqual(again.path, first.path)
        XCTAssertTrue(FileManager.default.fileExists(atPath: marker.path), "compiled once more")
    }

    func testCompilesAnewWhenAsked() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let model = stub.config.models[0]
        let place = try await stub.store.compiled(model.resource)
        let marker = place.appendingPathComponent("marker")
        try Data().write(to: marker)
        let seconds = try await stub.store.compile(model.resource)
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
        let found = try await stub.store.compiled(model.resource)
        XCTAssertEqual(found.path, carried.path)
        let seconds = try await stub.store.compile(model.resource)
        XCTAssertNil(seconds)
    }

    func testAMissingPackageIsNamed() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let model = stub.config.models[1]
        try FileManager.default.removeItem(at: stub.root.appendingPathComponent(model.package))
        do {
            _ = try await stub.store.compiled(model.resource)
            XCTFail("found a package that is not there")
        } catch {
            XCTAssertEqual(error as? NelfError, .missingFile(model.package))
        }
    }

    /// A build may lay the files of a folder side by side among the other resources.
    func testAPackageThatTheBuildTookApartIsPutTogether() async throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let name = stub.config.models[0].package
        let folder = stub.root.appendingPathComponent(name)
        let content = try Data(contentsOf: folder.appendingPathComponent(StubModel.fileName))
        let weights = Data(repeating: 7, count: 9)
        try content.write(to: stub.root.appendingPathComponent(StubModel.fileName))
        try weights.write(to: stub.root.appendingPathComponent("weight.bin"))
        try FileManager.default.removeItem(at: folder)
        let package = ModelPackage(
            name: name, key: "key",
            files: [
                PackageFile(path: StubModel.fileName, bytes: content.count),
                PackageFile(path: "Data/weights/weight.bin", bytes: 9),
            ])
        let compiled = try await stub.store.compiled(package)
        let found = try Data(
            contentsOf: compiled.appendingPathComponent("Data/weights/weight.bin"))
        XCTAssertEqual(found, weights)
        _ = try await NelfModel(
            compiled: compiled, computeUnits: .cpuOnly, contract: stub.config.contract)

        // Files of another package are not taken for it.
        let other = ModelPackage(
            name: name, key: "other",
            files: [PackageFile(path: StubModel.fileName, bytes: content.count + 1)])
        do {
            _ = try await stub.store.compiled(other)
            XCTFail("took a file of another size")
        } catch {
            XCTAssertEqual(error as? NelfError, .missingFile(name))
        }
    }
}
