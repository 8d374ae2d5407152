import Foundation

/// Stands for the infinite ratio of identical pictures, since JSON has no infinity.
public let identicalDecibels = 999.0

/// A value that is not finite counts as this, so that a broken picture is a bad one.
private let brokenValue = 1e9

/// Returns the peak signal-to-noise ratio in dB of values in [0, 1].
///
/// `values` and `reference` have the same number of elements, at least one.
public func psnr(_ values: [Float], reference: [Float]) -> Double {
    var sum = 0.0
    for (value, expected) in zip(values, reference) {
        let difference = (value.isFinite ? Double(value) : brokenValue) - Double(expected)
        sum += difference * difference
    }
    return sum == 0 ? identicalDecibels : -10 * log10(sum / Double(values.count))
}

/// The device's frames against those of the trained student.
public struct SelfCheck: Codable, Equatable, Sendable {
    public let frames: Int
    public let psnr: [Double]
    public let worst: Double
    public let passed: Bool

    enum CodingKeys: String, CodingKey {
        case frames, passed
        case psnr = "psnr_db"
        case worst = "worst_psnr_db"
    }

    /// `psnr` holds at least one frame.
    public init(psnr: [Double], required: Double) {
        frames = psnr.count
        self.psnr = psnr
        worst = psnr.min() ?? identicalDecibels
        passed = worst >= required
    }
}
