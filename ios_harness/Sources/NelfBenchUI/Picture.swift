import Accelerate
import CoreGraphics
import Foundation
import ImageIO

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// An image that nobody changes any more, so it may cross threads.
struct Picture: @unchecked Sendable {
    let image: CGImage

    /// Makes an image of the red, green and blue channels; alpha is not shown.
    ///
    /// - Throws: `BenchError.badOutput` if the system makes no image of it.
    init(_ frame: FrameOutput) throws {
        let made: CGImage?
        switch frame.storage {
        case .planarFloat32:
            made = Self.image(
                try Self.interleaved(frame), frame, bytesPerPixel: 3,
                bytesPerRow: 3 * frame.width, info: CGBitmapInfo(rawValue: Self.noAlpha))
        case .bgra8(let bytesPerRow):
            let info = CGBitmapInfo(
                rawValue: CGImageAlphaInfo.noneSkipFirst.rawValue
                    | CGBitmapInfo.byteOrder32Little.rawValue)
            made = Self.image(
                frame.bytes, frame, bytesPerPixel: 4, bytesPerRow: bytesPerRow, info: info)
        }
        guard let made else { throw BenchError.badOutput("no picture can be made of it") }
        image = made
    }

    /// Reads a picture file; nil if it is none.
    init?(file: URL) {
        guard let source = CGImageSourceCreateWithURL(file as CFURL, nil),
            let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
        else { return nil }
        self.image = image
    }

    private static let noAlpha = CGImageAlphaInfo.none.rawValue

    private static func image(
        _ bytes: Data, _ frame: FrameOutput, bytesPerPixel: Int, bytesPerRow: Int,
        info: CGBitmapInfo
    ) -> CGImage? {
        guard let provider = CGDataProvider(data: bytes as CFData),
            let space = CGColorSpace(name: CGColorSpace.sRGB)
        else { return nil }
        return CGImage(
            width: frame.width, height: frame.height, bitsPerComponent: 8,
            bitsPerPixel: 8 * bytesPerPixel, bytesPerRow: bytesPerRow, space: space,
            bitmapInfo: info, provider: provider, decode: nil, shouldInterpolate: true,
            intent: .defaultIntent)
    }

    /// Float planes to 8-bit pixels, with vImage because a loop would take longer than the network
    /// in a build without optimization.
    private static func interleaved(_ frame: FrameOutput) throws -> Data {
        let (width, height) = (frame.width, frame.height)
        let plane = width * height
        var planes = [UInt8](repeating: 0, count: 3 * plane)
        var pixels = Data(count: 3 * plane)
        var status = kvImageNoError
        frame.bytes.withUnsafeBytes { source in
            planes.withUnsafeMutableBytes { planar in
                pixels.withUnsafeMutableBytes { target in
                    func view(_ start: UnsafeMutableRawPointer, _ rowBytes: Int) -> vImage_Buffer {
                        vImage_Buffer(
                            data: start, height: vImagePixelCount(height),
                            width: vImagePixelCount(width), rowBytes: rowBytes)
                    }
                    guard let floats = source.baseAddress, let bytes = planar.baseAddress,
                        let rgb = target.baseAddress
                    else {
                        status = kvImageNullPointerArgument
                        return
                    }
                    var eight = (0..<3).map { view(bytes + $0 * plane, width) }
                    for channel in 0..<3 where status == kvImageNoError {
                        let start = UnsafeMutableRawPointer(mutating: floats + 4 * channel * plane)
                        var input = view(start, 4 * width)
                        status = vImageConvert_PlanarFtoPlanar8(
                            &input, &eight[channel], 1, 0, vImage_Flags(kvImageNoFlags))
                    }
                    var output = view(rgb, 3 * width)
                    var (red, green, blue) = (eight[0], eight[1], eight[2])
                    if status == kvImageNoError {
                        status = vImageConvert_Planar8toRGB888(
                            &red, &green, &blue, &output, vImage_Flags(kvImageNoFlags))
                    }
                }
            }
        }
        guard status == kvImageNoError else {
            throw BenchError.badOutput("vImage ended with \(status)")
        }
        return pixels
    }
}
