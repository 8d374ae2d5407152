import Foundation

/// How the encoder is split between the host and the graph.
public enum InputLayout: String, Codable, Sendable {
    case embedded, rays, camera, factored

    /// Returns what the host uploads for a camera on the ray grid, by tensor name, in row-major
    /// order and double precision.
    public func host(_ camera: Camera, encoder: EncoderSettings) -> [String: [Double]] {
        switch self {
        case .embedded:
            return [
                "input": encodedSamples(
                    camera, depths: encoder.depths, frequencies: encoder.frequencies)
            ]
        case .rays:
            return ["rays": rayGrid(camera)]
        case .camera:
            return ["camera": RayMap(camera).flat]
        case .factored:
            let tables = FactoredTables(
                rays: RayMap(camera),
                width: camera.intrinsics.width,
                height: camera.intrinsics.height,
                depths: encoder.depths,
                frequencies: encoder.frequencies)
            return [
                "sin_columns": tables.sinColumns,
                "cos_columns": tables.cosColumns,
                "point_columns": tables.pointColumns,
                "sin_rows": tables.sinRows,
                "cos_rows": tables.cosRows,
                "point_rows": tables.pointRows,
            ]
        }
    }
}
