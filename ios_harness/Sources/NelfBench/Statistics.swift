import Foundation

/// Percentiles of samples by linear interpolation between the two nearest ranks: with the samples
/// in ascending order at ranks 0 to n − 1, percentile p is at rank p/100·(n − 1).
///
/// `samples` must not be empty.
public func percentile(_ p: Double, of samples: [Double]) -> Double {
    percentile(p, ofSorted: samples.sorted())
}

func percentile(_ p: Double, ofSorted sorted: [Double]) -> Double {
    let rank = p / 100 * Double(sorted.count - 1)
    let low = Int(rank.rounded(.down))
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (rank - Double(low))
}

/// Times of many frames, in milliseconds.
public struct LatencySummary: Codable, Equatable, Sendable {
    public let count: Int
    public let mean: Double
    public let p50: Double
    public let p90: Double
    public let p99: Double
    public let min: Double
    public let max: Double

    /// Summarises times in seconds; nil if there are none.
    public init?(seconds: [Double]) {
        guard !seconds.isEmpty else { return nil }
        let sorted = seconds.map { 1000 * $0 }.sorted()
        count = sorted.count
        mean = sorted.reduce(0, +) / Double(sorted.count)
        p50 = percentile(50, ofSorted: sorted)
        p90 = percentile(90, ofSorted: sorted)
        p99 = percentile(99, ofSorted: sorted)
        min = sorted[0]
        max = sorted[sorted.count - 1]
    }
}

/// A run without a pause; latencies in milliseconds.
public struct SustainedSummary: Codable, Equatable, Sendable {
    /// Length of the run.
    public let seconds: Double
    public let frames: Int
    public let p50: Double
    public let p90: Double
    public let p99: Double
    /// Frames divided by the length of the run, so with everything between two frames.
    public let fps: Double
    /// Frames that ended in each whole second of the run.
    public let framesBySecond: [Int]?
    /// Heat at the end of each of them.
    public let thermalBySecond: [ThermalLevel]?

    enum CodingKeys: String, CodingKey {
        case seconds, frames, p50, p90, p99, fps
        case framesBySecond = "frames_by_second"
        case thermalBySecond = "thermal_by_second"
    }

    /// Summarises a run that took `elapsed` seconds; nil if it rendered nothing.
    public init?(elapsed: Double, frameSeconds: [Double], timeline: Timeline = Timeline()) {
        guard elapsed > 0, let latency = LatencySummary(seconds: frameSeconds) else { return nil }
        seconds = elapsed
        frames = latency.count
        p50 = latency.p50
        p90 = latency.p90
        p99 = latency.p99
        fps = Double(latency.count) / elapsed
        framesBySecond = timeline.frames
        thermalBySecond = timeline.heat
    }
}

/// What a run did in each of its whole seconds.
public struct Timeline: Equatable, Sendable {
    public private(set) var frames: [Int] = []
    public private(set) var heat: [ThermalLevel] = []
    private var current = 0

    public init() {}

    /// Takes a frame that ended some seconds after the start of the run.
    public mutating func add(at seconds: Double, heat level: @autoclosure () -> ThermalLevel) {
        while frames.count < Int(seconds) {
            frames.append(current)
            heat.append(level())
            current = 0
        }
        current += 1
    }
}
