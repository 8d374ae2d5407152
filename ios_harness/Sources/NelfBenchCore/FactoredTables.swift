import Foundation

/// Per-frame tables from which the positional encoding is exact products and sums.
///
/// A point is o + z·(d0 + u·du + v·dv): its column part is o + z·(d0 + u·du), its row part z·v·dv.
/// Each phase is 2ˡ times the point, so its sine and cosine follow from those of the two parts.
/// Channels of coordinates are 3·sample + xyz (C of them), of phases level·C + coordinate.
public struct FactoredTables: Sendable {
    public let sinColumns: [Double]  // [P, width]
    public let cosColumns: [Double]  // [P, width]
    public let pointColumns: [Double]  // [C, width]
    public let sinRows: [Double]  // [P, height]
    public let cosRows: [Double]  // [P, height]
    public let pointRows: [Double]  // [C, height]

    /// In double precision: the phases reach 2⁵ times the scene's size, where a float has lost the
    /// digits that the sine needs.
    public init(rays: RayMap, width: Int, height: Int, depths: [Double], frequencies: Int) {
        let origin = rays.origin.components
        let (d0, du, dv) = (rays.d0.components, rays.du.components, rays.dv.components)
        var columns: [Double] = []
        var rows: [Double] = []
        for depth in depths {
            for axis in 0..<3 {
                let (start, step) = (origin[axis] + depth * d0[axis], depth * du[axis])
                columns += (0..<width).map { start + step * Double($0) }
                rows += (0..<height).map { depth * dv[axis] * Double($0) }
            }
        }
        let octaves = (0..<frequencies).map { pow(2.0, Double($0)) }
        let columnPhases = octaves.flatMap { octave in columns.map { octave * $0 } }
        let rowPhases = octaves.flatMap { octave in rows.map { octave * $0 } }
        sinColumns = columnPhases.map { sin($0) }
        cosColumns = columnPhases.map { cos($0) }
        pointColumns = columns
        sinRows = rowPhases.map { sin($0) }
        cosRows = rowPhases.map { cos($0) }
        pointRows = rows
    }
}

/// Returns the whole encoding, [C·(2L+1), height, width] with channel coordinate·(2L+1) + j: L
/// sines, L cosines, then the coordinate itself.
public func encodedSamples(_ camera: Camera, depths: [Double], frequencies: Int) -> [Double] {
    let rays = RayMap(camera)
    let width = camera.intrinsics.width
    let plane = width * camera.intrinsics.height
    let perCoordinate = 2 * frequencies + 1
    var encoded = [Double](repeating: 0, count: 3 * depths.count * perCoordinate * plane)
    for pixel in 0..<plane {
        let direction = rays.direction(column: pixel % width, row: pixel / width)
        for (sample, depth) in depths.enumerated() {
            let point = (rays.origin + direction * depth).components
            for axis in 0..<3 {
                let first = (3 * sample + axis) * perCoordinate
                for level in 0..<frequencies {
                    let phase = pow(2.0, Double(level)) * point[axis]
                    encoded[(first + level) * plane + pixel] = sin(phase)
                    encoded[(first + frequencies + level) * plane + pixel] = cos(phase)
                }
                encoded[(first + 2 * frequencies) * plane + pixel] = point[axis]
            }
        }
    }
    return encoded
}
