import Foundation

/// A rendered frame, copied out of a model.
public struct FrameOutput: Sendable {
    /// How the values lie in memory.
    public enum Storage: Equatable, Sendable {
        /// [channels, height, width] float32.
        case planarFloat32
        /// [channels, height, width] float16.
        case planarFloat16
        /// Rows of 4-byte pixels, blue first.
        case bgra8(bytesPerRow: Int)
    }

    /// How its values lie in `bytes`.
    public let storage: Storage
    /// Pixels of a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Colours, and alpha where there are four.
    public let channels: Int
    /// The values.
    public let bytes: Data

    /// - Throws: `NelfError.badOutput` if there are too few bytes.
    public init(storage: Storage, width: Int, height: Int, channels: Int, bytes: Data) throws {
        let needed: Int
        switch storage {
        case .planarFloat32: needed = 4 * channels * height * width
        case .planarFloat16: needed = 2 * channels * height * width
        case .bgra8(let bytesPerRow): needed = bytesPerRow * (height - 1) + 4 * width
        }
        guard bytes.count >= needed else {
            throw NelfError.badOutput("\(bytes.count) bytes, expected \(needed)")
        }
        self.storage = storage
        self.width = width
        self.height = height
        self.channels = channels
        self.bytes = bytes
    }

    /// Returns the values of pixels given by row·width + column: [pixels, channels], each in [0, 1].
    public func values(at pixels: [Int]) -> [Float] {
        bytes.withUnsafeBytes { raw in
            pixels.flatMap { pixel in
                (0..<channels).map { channel in
                    switch storage {
                    case .planarFloat32:
                        let index = channel * width * height + pixel
                        return raw.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                    case .planarFloat16:
                        let index = channel * width * height + pixel
                        return floatOfHalf(
                            raw.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                    case .bgra8(let bytesPerRow):
                        let start = pixel / width * bytesPerRow + pixel % width * 4
                        return Float(raw[start + (channel == 3 ? 3 : 2 - channel)]) / 255
                    }
                }
            }
        }
    }
}
