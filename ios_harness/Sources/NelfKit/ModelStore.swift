import CoreML
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Compiled models: the one that Xcode put into the app, else the package compiled here and kept.
public struct ModelStore: Sendable {
    let resources: ResourceFolder
    let kept: URL

    /// - Parameters:
    ///   - resources: Where packages lie.
    ///   - kept: Folder for compiled copies; made when needed.
    public init(resources: ResourceFolder, kept: URL) {
        self.resources = resources
        self.kept = kept
    }

    /// The folder in the app's caches where compiled copies are kept.
    public static func caches() throws -> URL {
        try FileManager.default.url(
            for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true
        ).appendingPathComponent("nelf-models")
    }

    /// Compiles a package, in place of a copy that may be kept.
    ///
    /// - Returns: Seconds of the compilation; nil if the app carries a compiled model.
    /// - Throws: `NelfError.missingFile`, or what Core ML throws.
    public func compile(_ model: ModelPackage) async throws -> Double? {
        guard carried(model) == nil else { return nil }
        let rebuilt = kept.appendingPathComponent(model.key)
        defer { try? FileManager.default.removeItem(at: rebuilt) }
        let package = try resources.package(model, rebuiltIn: rebuilt)
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
    public func compiled(_ model: ModelPackage) async throws -> URL {
        if let url = carried(model) { return url }
        let place = keptURL(model)
        if !FileManager.default.fileExists(atPath: place.path) {
            _ = try await compile(model)
        }
        return place
    }

    private func carried(_ model: ModelPackage) -> URL? {
        resources.find(model.stem + ".mlmodelc")
    }

    /// Named after the package's content and the system, whose compiler made it.
    private func keptURL(_ model: ModelPackage) -> URL {
        let os = ProcessInfo.processInfo.operatingSystemVersion
        let version = "\(os.majorVersion).\(os.minorVersion).\(os.patchVersion)"
        return kept.appendingPathComponent("\(model.key)-\(version).mlmodelc")
    }
}

extension ModelPackage {
    /// A package at a place of its own, told from its older versions by size and date.
    init(at url: URL) throws {
        let weights = url.appendingPathComponent("Data/com.apple.CoreML/weights/weight.bin")
        guard FileManager.default.fileExists(atPath: url.path) else {
            throw NelfError.missingFile(url.lastPathComponent)
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: weights.path)
        let bytes = (attributes?[.size] as? NSNumber)?.intValue ?? 0
        let date = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        let stem = url.deletingPathExtension().lastPathComponent
        self.init(name: url.lastPathComponent, key: "\(stem)-\(bytes)-\(Int(date))")
    }
}
