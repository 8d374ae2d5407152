import Foundation

/// The system's word for how hot the device is, in ascending order.
public enum ThermalLevel: String, Codable, Sendable, CaseIterable, Comparable {
    case nominal, fair, serious, critical

    private var rank: Int {
        switch self {
        case .nominal: return 0
        case .fair: return 1
        case .serious: return 2
        case .critical: return 3
        }
    }

    public static func < (left: ThermalLevel, right: ThermalLevel) -> Bool {
        left.rank < right.rank
    }
}

/// Heat at both ends of a run.
public struct ThermalSpan: Codable, Equatable, Sendable {
    public let start: ThermalLevel
    public let end: ThermalLevel

    public init(start: ThermalLevel, end: ThermalLevel) {
        self.start = start
        self.end = end
    }
}

/// Decides whether a run may start. From `serious` on the system slows its processors, so nothing
/// measured then says what the device can do.
///
/// A benchmark that a person starts is refused at once when hot. Between the runs of a benchmark the
/// app waits until the device is at `fair` or cooler, asks every five seconds, and gives the run up
/// after ten minutes.
public struct ThermalGate: Sendable {
    public static let hottestStart = ThermalLevel.fair
    public static let pollSeconds = 5.0
    public static let patienceSeconds = 600.0

    public enum Decision: Equatable, Sendable {
        case start, wait, giveUp
    }

    public static func mayStart(_ level: ThermalLevel) -> Bool {
        level <= hottestStart
    }

    public static func decide(_ level: ThermalLevel, waited seconds: Double) -> Decision {
        if mayStart(level) { return .start }
        return seconds < patienceSeconds ? .wait : .giveUp
    }
}
