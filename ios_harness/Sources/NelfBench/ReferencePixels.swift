import Foundation

/// Float values of some pixels of each reference frame, spread evenly over it. Eight bits would hide
/// errors below 50 dB.
public struct ReferencePixels: Sendable {
    /// Positions row·width + column.
    public let positions: [Int]
    let frames: [[Float]]

    /// Reads the file that `config` names.
    ///
    /// - Throws: `BenchError.badConfig` if its size does not fit.
    public init(data: Data, config: BenchConfig) throws {
        let shape = config.contract.output.shape
        let count = config.reference.pixelsPerFrame
        let frameCount = config.reference.frames.count
        let perFrame = count * shape[1]
        guard data.count == 4 * perFrame * frameCount else {
            throw BenchError.badConfig(
                "\(config.reference.pixels) holds \(data.count) bytes, expected "
                    + "\(4 * perFrame * frameCount)")
        }
        positions = Self.spread(count, over: shape[2] * shape[3])
        let values = data.withUnsafeBytes { raw in
            (0..<perFrame * frameCount).map { index in
                Float(
                    bitPattern: UInt32(
                        littleEndian: raw.loadUnaligned(
                            fromByteOffset: 4 * index, as: UInt32.self)))
            }
        }
        frames = (0..<frameCount).map { Array(values[$0 * perFrame..<($0 + 1) * perFrame]) }
    }

    /// Returns [pixels, channels] of a frame.
    public func values(frame: Int) -> [Float] { frames[frame] }

    /// `count` whole positions from 0 to `total` − 1, evenly spread and rounded down.
    static func spread(_ count: Int, over total: Int) -> [Int] {
        guard count > 1 else { return [0] }
        // As the bundle's writer computes it, so that both round the same positions down.
        let step = Double(total - 1) / Double(count - 1)
        return (0..<count).map { $0 == count - 1 ? total - 1 : Int(Double($0) * step) }
    }
}
