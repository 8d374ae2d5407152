import Foundation

/// A number for people; a dash for one that was not measured.
func figure(_ value: Double?, digits: Int) -> String {
    guard let value else { return "–" }
    return value.formatted(.number.precision(.fractionLength(digits)))
}

/// Bytes as megabytes of 10⁶.
func megabytes(_ bytes: UInt64?) -> String {
    figure(bytes.map { Double($0) / 1e6 }, digits: 0)
}
