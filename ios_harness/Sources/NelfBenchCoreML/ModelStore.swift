import CoreML
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// Compiled models: the one that Xcode put into the app, else the package compiled here and kept.
public struct ModelStore: Sendable {
    let resources: ResourceFolder
    let kept: URL

    /// - Parameter kept: Folder for compiled copies; made when needed.
    public init(resources: ResourceFolder, kept: URL) {
        self.resources = resources
        self.kept = kept
    }

    /// Compiles a package, in place of a copy that may be kept.
    ///
    /// - Returns: Seconds of the compilation; nil if the app carries a compiled model.
    /// - Throws: `BenchError.missingFile`, or what Core ML throws.
    public func compile(_ model: BenchModel) async throws -> Double? {
        guard carried(model) == nil else { return nil }
        guard let package = resources.find(model.package) else {
            throw BenchError.missingFile(model.package)
        }
        let start = ProcessInfo.processInfo.systemUptime
        let temporary = try await MLModel.compileModel(at: package)
        let seconds = ProcessInfo.processInfo.systemUptime - start
        let files = FileManager.default
        let place = keptURL(model)
        try files.createDirectory(at: kept, withIntermediateDirectories: true)
        if files.fileExists(atPath: place.path) {
            try files.removeItem(at: place)
        }
        try files.moveItem(at: temporary, to: place)
        return seconds
    }

    /// Returns a compiled model, compiling it if there is none yet.
    public func compiled(_ model: BenchModel) async throws -> URL {
        if let url = carried(model) { return url }
        let place = keptURL(model)
        if !FileManager.default.fileExists(atPath: place.path) {
            _ = try await compile(model)
        }
        return place
    }

    private func carried(_ model: BenchModel) -> URL? {
        resources.find(model.stem + ".mlmodelc")
    }

    /// Named after the package's content and the system, whose compiler made it.
    private func keptURL(_ model: BenchModel) -> URL {
        let os = ProcessInfo.processInfo.operatingSystemVersion
        let version = "\(os.majorVersion).\(os.minorVersion).\(os.patchVersion)"
        return kept.appendingPathComponent("\(model.packageSHA256)-\(version).mlmodelc")
    }
}
