import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// What the app carries, read once at its start.
struct BenchContent: Sendable {
    let config: BenchConfig
    let reference: ReferencePixels
    let resources: ResourceFolder
    let device: CoreMLDevice
    /// Where the benchmark shows its frames.
    let screen: FrameScreen

    /// - Throws: `BenchError` or `NelfError` if something is missing or does not fit.
    @MainActor
    static func load() throws -> BenchContent {
        guard let root = Bundle.main.resourceURL else {
            throw NelfError.missingFile(BenchConfig.fileName)
        }
        let resources = ResourceFolder(root)
        let config = try BenchConfig(data: resources.data(BenchConfig.fileName))
        let reference = try ReferencePixels(
            data: resources.data(config.reference.pixels), config: config)
        let store = ModelStore(resources: resources, kept: try ModelStore.caches())
        let screen = FrameScreen()
        return BenchContent(
            config: config, reference: reference, resources: resources,
            device: CoreMLDevice(store: store, config: config, screen: screen),
            screen: screen)
    }

    /// What a person sees first: the first model where phones are fastest.
    var firstItem: BenchItem {
        BenchItem(
            model: config.models[0], units: .cpuAndNeuralEngine,
            encoder: InputEncoder.available(for: config.contract(of: config.models[0]))[0])
    }
}
