import Foundation
import NelfCore

/// Milliseconds of the processor in this thread, the fastest of some runs; other load changes little.
func fastest(_ runs: Int, _ body: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e3 + Double(time.tv_nsec) / 1e6
    }
    return (0..<runs).map { _ in
        let start = now()
        body()
        return now() - start
    }.min() ?? 0
}

let limits = OrbitLimits(
    target: Vector3(0, 0, 0), up: Vector3(0, 0, 1), azimuth: ClosedSpan(-180, 180),
    elevation: ClosedSpan(0, 80), radius: ClosedSpan(3, 5))
let lens = Intrinsics(width: 100, height: 100, fx: 139, fy: 139, cx: 50, cy: 50)
let camera = Camera(
    pose: limits.pose(OrbitPosition(azimuth: 30, elevation: 20, radius: 4)), intrinsics: lens)
for samples in [8, 16] {
    let depths = sampleDepths(near: 2, far: 6, count: samples)
    var kept = 0.0
    let before = fastest(40) {
        let tables = TablesBefore(
            rays: RayMap(camera), width: 100, height: 100, depths: depths, frequencies: 6)
        let all = [
            tables.sinColumns, tables.cosColumns, tables.pointColumns, tables.sinRows,
            tables.cosRows, tables.pointRows,
        ]
        kept += all.map { values in Double(values.map { Float($0) }[1]) }.reduce(0, +)
    }
    for element in [ElementType.float32, .float16] {
        let after = fastest(40) {
            let tables = FactoredTables(
                rays: RayMap(camera), width: 100, height: 100, depths: depths, frequencies: 6)
            let all = [
                tables.sinColumns, tables.cosColumns, tables.pointColumns, tables.sinRows,
                tables.cosRows, tables.pointRows,
            ]
            kept += all.map { values in Double(TensorValues(values, as: element)[1]) }.reduce(0, +)
        }
        let times = [before, after, before / after].map { String(format: "%.2f", $0) }
        print(samples, element.rawValue, times.joined(separator: " "), kept > 1e9 ? "!" : "")
    }
}
