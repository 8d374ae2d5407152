import Foundation
import NelfCore

/// The uploads of layout `factored` as the app computed them up to November 2026: a sine for each
/// number, and every step a map.
///
/// A point is o + z·(d0 + u·du + v·dv): its column part is o + z·(d0 + u·du), its row part z·v·dv.
/// Each phase is 2ˡ times the point, so its sine and cosine follow from those of the two parts.
/// Channels of coordinates are 3·sample + xyz (C of them), of phases level·C + coordinate.
struct TablesBefore: Sendable {
    let sinColumns: [Double]  // [P, width]
    let cosColumns: [Double]  // [P, width]
    let pointColumns: [Double]  // [C, width]
    let sinRows: [Double]  // [P, height]
    let cosRows: [Double]  // [P, height]
    let pointRows: [Double]  // [C, height]

    /// In double precision: the phases reach 2⁵ times the scene's size, where a float has lost the
    /// digits that the sine needs.
    init(rays: RayMap, width: Int, height: Int, depths: [Double], frequencies: Int) {
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
