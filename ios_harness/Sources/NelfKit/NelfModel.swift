import CoreML
import CoreVideo
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// A neural light field, ready to be rendered from any viewpoint.
///
/// ```swift
/// let nelf = try await NelfModel(contentsOf: url)
/// let frame = try await nelf.render(.orbit(azimuth: 30, elevation: 20))
/// let image = try frame.cgImage()
/// ```
///
/// What the model takes and returns is read from the package itself: layout, size of the picture, lens
/// and the viewpoints that were trained. Two frames are computed at a time, so that inputs of the next
/// are prepared while one is on the Neural Engine; a third `render` waits.
public actor NelfModel {
    /// Frames that are computed at a time.
    public static let framesInFlight = 2

    /// What the model takes and returns, and what it was trained for.
    public nonisolated let contract: Contract
    /// How the object stands in a room; nil in packages that were not made for one.
    public nonisolated let room: RoomSettings?
    /// What computes its inputs.
    public nonisolated let encoder: InputEncoder

    private let model: LoadedModel
    private let outputs: FrameOutputs
    private var free: [FrameInputs]
    private var waiting: [CheckedContinuation<FrameInputs, Never>] = []

    /// Loads a package, compiling it if that was not done before; a compiled copy is kept in the
    /// app's caches.
    ///
    /// - Parameters:
    ///   - url: A `.mlpackage`, or a `.mlmodelc` that Xcode made of it.
    ///   - computeUnits: Processors that Core ML may use.
    ///   - encoder: What computes the inputs; the first of `InputEncoder.available` if nil.
    /// - Throws: `NelfError`, or what Core ML throws.
    public init(
        contentsOf url: URL, computeUnits: ComputeUnits = .cpuAndNeuralEngine,
        encoder: InputEncoder? = nil
    ) async throws {
        if url.pathExtension == "mlmodelc" {
            try await self.init(compiled: url, computeUnits: computeUnits, encoder: encoder)
        } else {
            let store = ModelStore(
                resources: ResourceFolder(url.deletingLastPathComponent()),
                kept: try ModelStore.caches())
            try await self.init(
                compiled: store.compiled(ModelPackage(at: url)), computeUnits: computeUnits,
                encoder: encoder)
        }
    }

    /// Loads a model that the app carries.
    ///
    /// - Parameter name: Of the package, without `.mlpackage`.
    /// - Throws: `NelfError.missingFile` if the app does not carry it, else as above.
    public init(
        named name: String, in bundle: Bundle = .main,
        computeUnits: ComputeUnits = .cpuAndNeuralEngine, encoder: InputEncoder? = nil
    ) async throws {
        let resources = ResourceFolder(bundle.resourceURL ?? bundle.bundleURL)
        guard let url = resources.find(name + ".mlmodelc") ?? resources.find(name + ".mlpackage")
        else {
            throw NelfError.missingFile(name + ".mlpackage")
        }
        try await self.init(contentsOf: url, computeUnits: computeUnits, encoder: encoder)
    }

    /// Loads a compiled model.
    ///
    /// - Parameters:
    ///   - contract: Read from the model's metadata if nil.
    ///   - encoder: See above.
    public init(
        compiled url: URL, computeUnits: ComputeUnits, contract: Contract? = nil,
        encoder: InputEncoder? = nil
    ) async throws {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits.coreML
        let loaded = try await MLModel.load(contentsOf: url, configuration: configuration)
        let contract = try contract ?? readContract(loaded.modelDescription)
        try checkModel(loaded.modelDescription, contract)
        self.contract = contract
        room = try readRoom(loaded.modelDescription)
        model = LoadedModel(model: loaded, contract: contract)
        outputs = FrameOutputs(contract)
        let metal = try MetalEncoder.make(contract, asked: encoder)
        self.encoder = metal == nil ? .cpu : .metal
        free = try (0..<Self.framesInFlight).map { _ in
            try FrameInputs(contract, encoder: metal)
        }
    }

    /// Renders one frame and throws it away, so that the first one on the screen is as fast as the
    /// others.
    public func prewarm() async throws {
        _ = try await render(.camera(contract.orbit.pose(contract.orbit.middle)))
    }

    /// Renders a frame.
    ///
    /// - Throws: `CancellationError` if the task was cancelled before the frame began, `NelfError`,
    ///   or what Core ML throws.
    public func render(_ viewpoint: Viewpoint) async throws -> NelfFrame {
        try Task.checkCancellation()
        let inputs = try await takeInputs()
        defer { giveBack(inputs) }
        try Task.checkCancellation()
        try await inputs.fill(viewpoint.pose(contract.orbit))
        return try await model.frame(inputs)
    }

    /// Renders prepared inputs and tells how long Core ML took; for benchmarks.
    ///
    /// - Returns: The frame, and the seconds of the prediction alone.
    public func timedFrame(_ uploads: Uploads) async throws -> (frame: NelfFrame, seconds: Double) {
        let inputs = try await takeInputs()
        defer { giveBack(inputs) }
        inputs.fill(uploads)
        return try model.timedFrame(inputs)
    }

    /// Renders a pose as `render` does and tells how long its inputs took; for benchmarks.
    ///
    /// - Returns: The frame, and the seconds until its inputs were where the model reads them.
    public func timedInputs(_ pose: Pose) async throws -> (frame: NelfFrame, seconds: Double) {
        let inputs = try await takeInputs()
        defer { giveBack(inputs) }
        let start = ProcessInfo.processInfo.systemUptime
        try await inputs.fill(pose)
        let seconds = ProcessInfo.processInfo.systemUptime - start
        return (try await model.frame(inputs), seconds)
    }

    /// Returns what the model is given at a pose, copied out from where it reads it.
    public func inputs(_ pose: Pose) async throws -> Uploads {
        let inputs = try await takeInputs()
        defer { giveBack(inputs) }
        try await inputs.fill(pose)
        return try inputs.read()
    }

    private func takeInputs() async throws -> FrameInputs {
        let inputs: FrameInputs
        if let unused = free.popLast() {
            inputs = unused
        } else {
            inputs = await withCheckedContinuation { waiting.append($0) }
        }
        do {
            inputs.options.outputBackings = try outputs.next()
        } catch {
            giveBack(inputs)
            throw error
        }
        return inputs
    }

    private func giveBack(_ inputs: FrameInputs) {
        inputs.options.outputBackings = [:]
        if waiting.isEmpty {
            free.append(inputs)
        } else {
            waiting.removeFirst().resume(returning: inputs)
        }
    }
}

/// Reads the contract from a model's metadata.
///
/// - Throws: `NelfError.badContract`.
func readContract(_ description: MLModelDescription) throws -> Contract {
    guard let text = defined(Contract.metadataKey, description) else {
        throw NelfError.badContract("its metadata lack \(Contract.metadataKey)")
    }
    return try Contract(json: Data(text.utf8))
}

/// Reads how the object stands in a room from a model's metadata; nil if they do not say.
///
/// - Throws: `NelfError.badContract`.
func readRoom(_ description: MLModelDescription) throws -> RoomSettings? {
    guard let text = defined(RoomSettings.metadataKey, description) else { return nil }
    do {
        return try JSONDecoder().decode(RoomSettings.self, from: Data(text.utf8))
    } catch let error as DecodingError {
        throw NelfError.badContract("\(RoomSettings.metadataKey): \(describe(error))")
    }
}

/// What a package's author defined under a key.
private func defined(_ key: String, _ description: MLModelDescription) -> String? {
    (description.metadata[.creatorDefinedKey] as? [String: String])?[key]
}

/// A model of Core ML, whose asynchronous predictions several tasks may ask for at a time.
struct LoadedModel: @unchecked Sendable {
    let model: MLModel
    let contract: Contract

    func frame(_ inputs: FrameInputs) async throws -> NelfFrame {
        let result = try await model.prediction(from: inputs.features, options: inputs.options)
        return try NelfFrame(result.featureValue(for: contract.output.name), contract)
    }

    func timedFrame(_ inputs: FrameInputs) throws -> (frame: NelfFrame, seconds: Double) {
        let start = ProcessInfo.processInfo.systemUptime
        let result = try withoutGarbage {
            try model.prediction(from: inputs.features, options: inputs.options)
        }
        let seconds = ProcessInfo.processInfo.systemUptime - start
        let value = result.featureValue(for: contract.output.name)
        return (try NelfFrame(value, contract), seconds)
    }
}

extension ComputeUnits {
    /// The case of Core ML that is spelled the same.
    public var coreML: MLComputeUnits {
        switch self {
        case .cpuAndNeuralEngine: return .cpuAndNeuralEngine
        case .all: return .all
        case .cpuAndGPU: return .cpuAndGPU
        case .cpuOnly: return .cpuOnly
        }
    }
}

/// Runs `body` and frees what Objective-C code inside it left for later, or a long benchmark would
/// measure its own growing memory.
private func withoutGarbage<Result>(_ body: () throws -> Result) rethrows -> Result {
    #if canImport(ObjectiveC)
    return try autoreleasepool(invoking: body)
    #else
    return try body()
    #endif
}
