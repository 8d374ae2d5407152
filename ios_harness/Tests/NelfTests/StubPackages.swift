import CoreML
import Foundation

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// A folder of resources with packages that the stub of Core ML understands.
struct StubResources {
    let root: URL
    let config: BenchConfig

    /// Reads the shared `bench.json` and writes a package for each of its models.
    init(change: (inout StubModel) -> Void = { _ in }) throws {
        let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Vectors/bench.json")
        config = try BenchConfig(data: Data(contentsOf: vectors))
        root = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        let contract = config.contract
        var stub = StubModel(
            inputs: Dictionary(
                uniqueKeysWithValues: contract.inputs.map { ($0.name, $0.shape) }),
            outputName: contract.output.name, outputShape: contract.output.shape)
        stub.isHalf = contract.output.element == .float16
        change(&stub)
        for model in config.models {
            try write(stub, model.package)
        }
    }

    var store: ModelStore {
        ModelStore(resources: ResourceFolder(root), kept: root.appendingPathComponent("kept"))
    }

    func write(_ stub: StubModel, _ package: String) throws {
        let folder = root.appendingPathComponent(package)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try JSONEncoder().encode(stub).write(
            to: folder.appendingPathComponent(StubModel.fileName))
    }

    func remove() {
        try? FileManager.default.removeItem(at: root)
    }

    /// What the stub returns for a frame of the bundle: see `StubModel`.
    func expectedOutput(frame: Int) throws -> [Float] {
        let uploads = try Uploads(
            contract: config.contract, pose: config.reference.frames[frame].camToWorld)
        let names = config.contract.inputs.map(\.name)
        let first = names.firstIndex(of: names.sorted()[0]) ?? 0
        return (0..<config.contract.output.count).map {
            uploads.tensors[first][0] + Float($0) / 1000
        }
    }
}
