import Foundation

/// Finds files that an app carries, wherever the build put them: at the top of its bundle, in the
/// folder `Resources`, or in a nested bundle that SwiftPM makes of a target's resources.
public struct ResourceFolder: Sendable {
    let folders: [URL]

    /// Looks below the folder of an app's bundle.
    public init(_ root: URL) {
        let inside =
            (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil))
            ?? []
        let nested = inside.filter { $0.pathExtension == "bundle" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        folders = ([root] + nested).flatMap { [$0, $0.appendingPathComponent("Resources")] }
    }

    /// Returns the place of a file or package; nil if it is not there.
    public func find(_ name: String) -> URL? {
        folders.map { $0.appendingPathComponent(name) }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// - Throws: `NelfError.missingFile`.
    public func data(_ name: String) throws -> Data {
        guard let url = find(name) else { throw NelfError.missingFile(name) }
        return try Data(contentsOf: url)
    }
}

/// One file of a Core ML package.
public struct PackageFile: Codable, Equatable, Hashable, Sendable {
    /// Below the package, such as `Data/com.apple.CoreML/weights/weight.bin`.
    public let path: String
    /// Its size.
    public let bytes: Int

    /// Names a file of a package.
    public init(path: String, bytes: Int) {
        self.path = path
        self.bytes = bytes
    }
}

/// A Core ML package among an app's resources.
public struct ModelPackage: Equatable, Hashable, Sendable {
    /// Folder of the package, such as `mic.mlpackage`.
    public let name: String
    /// Changes with the content; a compiled copy is kept under it.
    public let key: String
    /// Files of which it can be rebuilt; empty if that is not known.
    public let files: [PackageFile]

    /// Names a package among an app's resources.
    public init(name: String, key: String, files: [PackageFile] = []) {
        self.name = name
        self.key = key
        self.files = files
    }

    /// Name without the extension.
    public var stem: String { (name as NSString).deletingPathExtension }
}

extension ResourceFolder {
    /// Returns the folder of a package, rebuilt below `place` where the build took it apart: some
    /// builds lay the files of a folder side by side, `Manifest.json` and `weight.bin` among the
    /// other resources.
    ///
    /// - Throws: `NelfError.missingFile` if neither the folder nor all of its files are there in
    ///   their sizes.
    public func package(_ package: ModelPackage, rebuiltIn place: URL) throws -> URL {
        if let folder = find(package.name) { return folder }
        let sources = package.files.compactMap { file in
            find((file.path as NSString).lastPathComponent).flatMap {
                Self.size($0) == file.bytes ? $0 : nil
            }
        }
        guard !sources.isEmpty, sources.count == package.files.count else {
            throw NelfError.missingFile(package.name)
        }
        let files = FileManager.default
        let folder = place.appendingPathComponent(package.name)
        if files.fileExists(atPath: folder.path) {
            try files.removeItem(at: folder)
        }
        for (file, source) in zip(package.files, sources) {
            let target = folder.appendingPathComponent(file.path)
            try files.createDirectory(
                at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
            try files.copyItem(at: source, to: target)
        }
        return folder
    }

    private static func size(_ url: URL) -> Int? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: url.path)
        return (attributes?[.size] as? NSNumber)?.intValue
    }
}
