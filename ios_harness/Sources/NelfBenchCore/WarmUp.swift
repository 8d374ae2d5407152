import Foundation

/// Renders until the latency is stable. The first predictions of a model are slower, for about 20
/// of them where that was reported, so a single one is not a warm-up.
///
/// Stable: in two successive comparisons the median of a window of ten frames is within 5 % of the
/// median of the window before. After 300 frames it ends in any case.
public struct WarmUp: Sendable {
    static let window = 10
    static let tolerance = 0.05
    static let agreements = 2
    static let maximumFrames = 300

    public private(set) var frames = 0
    private var current: [Double] = []
    private var previousMedian: Double?
    private var agreed = 0

    public init() {}

    public var isFinished: Bool { agreed >= Self.agreements || frames >= Self.maximumFrames }

    /// Takes the time of one more frame, in any unit.
    public mutating func add(_ time: Double) {
        frames += 1
        current.append(time)
        guard current.count == Self.window else { return }
        let median = percentile(50, of: current)
        if let previous = previousMedian {
            agreed = abs(median - previous) <= Self.tolerance * previous ? agreed + 1 : 0
        }
        previousMedian = median
        current.removeAll()
    }
}
