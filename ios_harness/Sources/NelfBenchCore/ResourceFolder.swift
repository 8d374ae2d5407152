import Foundation

/// Finds files that an app carries, wherever the build put them: at the top of its bundle, in the
/// folder `Resources`, or in a nested bundle that SwiftPM makes of a target's resources.
public struct ResourceFolder: Sendable {
    let folders: [URL]

    public init(_ root: URL) {
        let inside =
            (try? FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil))
            ?? []
        let nested = inside.filter { $0.pathExtension == "bundle" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
        folders = ([root] + nested).flatMap { [$0, $0.appendingPathComponent("Resources")] }
    }

    public func find(_ name: String) -> URL? {
        folders.map { $0.appendingPathComponent(name) }
            .first { FileManager.default.fileExists(atPath: $0.path) }
    }

    /// - Throws: `BenchError.missingFile`.
    public func data(_ name: String) throws -> Data {
        guard let url = find(name) else { throw BenchError.missingFile(name) }
        return try Data(contentsOf: url)
    }
}
