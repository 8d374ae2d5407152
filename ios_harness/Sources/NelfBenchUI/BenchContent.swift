import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif
#if canImport(NelfBenchCoreML)
import NelfBenchCoreML
#endif

/// What the app carries, read once at its start.
struct BenchContent: Sendable {
    let config: BenchConfig
    let reference: ReferencePixels
    let resources: ResourceFolder
    let device: CoreMLDevice

    /// - Throws: `BenchError` if something is missing or does not fit.
    static func load() throws -> BenchContent {
        guard let root = Bundle.main.resourceURL else {
            throw BenchError.missingFile(BenchConfig.fileName)
        }
        let resources = ResourceFolder(root)
        let config = try BenchConfig(data: resources.data(BenchConfig.fileName))
        let reference = try ReferencePixels(
            data: resources.data(config.reference.pixels), config: config)
        let caches = try FileManager.default.url(
            for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        let store = ModelStore(
            resources: resources, kept: caches.appendingPathComponent("nelf-models"))
        return BenchContent(
            config: config, reference: reference, resources: resources,
            device: CoreMLDevice(store: store, contract: config.contract))
    }

    /// What a person sees first: the first model where phones are fastest.
    var firstItem: BenchItem {
        BenchItem(model: config.models[0], units: .cpuAndNeuralEngine)
    }
}
