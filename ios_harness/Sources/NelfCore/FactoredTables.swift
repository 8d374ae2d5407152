import Foundation

/// Per-frame tables from which the positional encoding is exact products and sums.
///
/// A point is o + z·(d0 + u·du + v·dv): its column part is o + z·(d0 + u·du), its row part z·v·dv.
/// Each phase is 2ˡ times the point, so its sine and cosine follow from those of the two parts.
/// Channels of coordinates are 3·sample + xyz (C of them), of phases level·C + coordinate.
public struct FactoredTables: Sendable {
    /// [P, width].
    public let sinColumns: [Double]
    /// [P, width].
    public let cosColumns: [Double]
    /// [C, width].
    public let pointColumns: [Double]
    /// [P, height].
    public let sinRows: [Double]
    /// [P, height].
    public let cosRows: [Double]
    /// [C, height].
    public let pointRows: [Double]

    /// In double precision: the phases reach 2⁵ times the scene's size, where a float has lost the
    /// digits that the sine needs.
    public init(rays: RayMap, width: Int, height: Int, depths: [Double], frequencies: Int) {
        let origin = rays.origin.components
        let (d0, du, dv) = (rays.d0.components, rays.du.components, rays.dv.components)
        var columns: [(start: Double, step: Double)] = []
        var rows: [(start: Double, step: Double)] = []
        for depth in depths {
            for axis in 0..<3 {
                columns.append((origin[axis] + depth * d0[axis], depth * du[axis]))
                rows.append((0, depth * dv[axis]))
            }
        }
        pointColumns = ramps(columns, count: width)
        pointRows = ramps(rows, count: height)
        (sinColumns, cosColumns) = octaves(of: pointColumns, count: frequencies)
        (sinRows, cosRows) = octaves(of: pointRows, count: frequencies)
    }
}

/// Returns start, start + step, … of each ramp, one after the other.
private func ramps(_ ramps: [(start: Double, step: Double)], count: Int) -> [Double] {
    [Double](unsafeUninitializedCapacity: ramps.count * count) { out, initialized in
        guard var next = out.baseAddress else { return }
        for (start, step) in ramps {
            var index = 0
            while index < count {
                next[index] = start + step * Double(index)
                index &+= 1
            }
            next += count
        }
        initialized = ramps.count * count
    }
}

/// Returns sines and cosines of 2ˡ times each phase, level after level.
///
/// Only the first level asks for sines; each further one follows from the one before by the double
/// angle, in double precision, where five steps lose 32 units in the last place. Plain loops over
/// pointers, since a build without optimization calls a function for anything else.
private func octaves(of phases: [Double], count levels: Int) -> (sin: [Double], cos: [Double]) {
    let (count, total) = (phases.count, phases.count * levels)
    var cosines: [Double] = []
    let sines = [Double](unsafeUninitializedCapacity: total) { sines, initialized in
        cosines = [Double](unsafeUninitializedCapacity: total) { cosines, initialized in
            guard let s = sines.baseAddress, let c = cosines.baseAddress else { return }
            phases.withUnsafeBufferPointer { phases in
                guard let x = phases.baseAddress else { return }
                var index = 0
                while index < count {
                    s[index] = sin(x[index])
                    c[index] = cos(x[index])
                    index &+= 1
                }
            }
            let (nextS, nextC) = (s + count, c + count)
            var index = 0
            while index < total &- count {
                let twice = 2 * s[index]
                nextS[index] = twice * c[index]
                nextC[index] = 1 - twice * s[index]
                index &+= 1
            }
            initialized = total
        }
        initialized = total
    }
    return (sines, cosines)
}

/// Returns the whole encoding, [C·(2L+1), height, width] with channel coordinate·(2L+1) + j: L
/// sines, L cosines, then the coordinate itself.
public func encodedSamples(_ camera: Camera, depths: [Double], frequencies: Int) -> [Double] {
    let (width, height) = (camera.intrinsics.width, camera.intrinsics.height)
    let tables = FactoredTables(
        rays: RayMap(camera), width: width, height: height, depths: depths,
        frequencies: frequencies)
    let coordinates = 3 * depths.count
    let perCoordinate = 2 * frequencies + 1
    let total = coordinates * perCoordinate * width * height
    return [Double](unsafeUninitializedCapacity: total) { out, initialized in
        guard let base = out.baseAddress else { return }
        func place(_ coordinate: Int, _ channel: Int) -> UnsafeMutablePointer<Double> {
            base + (coordinate * perCoordinate + channel) * width * height
        }
        for coordinate in 0..<coordinates {
            for level in 0..<frequencies {
                let phase = level * coordinates + coordinate
                let (u, v) = (phase * width, phase * height)
                // sin(a + b) = sin a·cos b + cos a·sin b, cos(a + b) = cos a·cos b − sin a·sin b.
                outer(
                    tables.sinColumns, tables.cosRows, 1, tables.cosColumns, tables.sinRows,
                    at: (u, v), size: (width, height), into: place(coordinate, level))
                outer(
                    tables.cosColumns, tables.cosRows, -1, tables.sinColumns, tables.sinRows,
                    at: (u, v), size: (width, height),
                    into: place(coordinate, frequencies + level))
            }
            let points = place(coordinate, 2 * frequencies)
            for row in 0..<height {
                let part = tables.pointRows[coordinate * height + row]
                for column in 0..<width {
                    points[row * width + column] =
                        tables.pointColumns[coordinate * width + column] + part
                }
            }
        }
        initialized = total
    }
}

/// Writes a[u]·b[v] + sign·c[u]·d[v] for every row v and column u of a table's part.
private func outer(
    _ a: [Double], _ b: [Double], _ sign: Double, _ c: [Double], _ d: [Double],
    at start: (u: Int, v: Int), size: (width: Int, height: Int),
    into out: UnsafeMutablePointer<Double>
) {
    a.withUnsafeBufferPointer { a in
        c.withUnsafeBufferPointer { c in
            guard let a = a.baseAddress.map({ $0 + start.u }),
                let c = c.baseAddress.map({ $0 + start.u })
            else { return }
            var target = out
            for row in 0..<size.height {
                let (left, right) = (b[start.v + row], sign * d[start.v + row])
                var column = 0
                while column < size.width {
                    target[column] = a[column] * left + c[column] * right
                    column &+= 1
                }
                target += size.width
            }
        }
    }
}
