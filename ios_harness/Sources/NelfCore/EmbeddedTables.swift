/// What the kernel `nelf_embed` makes the input of layout `embedded` of: the tables of
/// `FactoredTables`, computed in double precision and rounded once to single, and their sizes.
public struct EmbeddedTables: Sendable {
    /// Sines, cosines and points of the columns, then those of the rows, each channel by channel.
    public let values: [Float]
    /// Coordinates, frequencies, width, height.
    public let sizes: [UInt32]

    /// Computes the tables of a camera on the ray grid.
    public init(_ camera: Camera, encoder: EncoderSettings) {
        let (width, height) = (camera.intrinsics.width, camera.intrinsics.height)
        let tables = FactoredTables(
            rays: RayMap(camera), width: width, height: height, depths: encoder.depths,
            frequencies: encoder.frequencies)
        let parts = [
            tables.sinColumns, tables.cosColumns, tables.pointColumns, tables.sinRows,
            tables.cosRows, tables.pointRows,
        ]
        let total = Self.count(width: width, height: height, encoder: encoder)
        values = [Float](unsafeUninitializedCapacity: total) { out, initialized in
            guard var next = out.baseAddress else { return }
            for part in parts {
                part.withUnsafeBufferPointer { part in
                    guard let source = part.baseAddress else { return }
                    var index = 0
                    while index < part.count {
                        next[index] = Float(source[index])
                        index &+= 1
                    }
                }
                next += part.count
            }
            initialized = total
        }
        sizes = [3 * encoder.samples, encoder.frequencies, width, height].map { UInt32($0) }
    }

    /// Numbers of the tables of a grid.
    public static func count(width: Int, height: Int, encoder: EncoderSettings) -> Int {
        3 * encoder.samples * (2 * encoder.frequencies + 1) * (width + height)
    }
}
