import Accelerate
import CoreGraphics
import CoreVideo
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Makes an image of a frame.
///
/// - Throws: `NelfError.badOutput` if the system makes no image of it.
func makeImage(_ frame: FrameOutput) throws -> CGImage {
    var bytes = frame.bytes
    var bytesPerRow = 4 * frame.width
    switch frame.storage {
    case .bgra8(let stored): bytesPerRow = stored
    case .planarFloat16, .planarFloat32:
        bytes = Data(count: bytesPerRow * frame.height)
        try bytes.withUnsafeMutableBytes { try interleave(frame, into: $0, bytesPerRow) }
    }
    let alpha: CGImageAlphaInfo = frame.channels == 4 ? .premultipliedFirst : .noneSkipFirst
    guard let provider = CGDataProvider(data: bytes as CFData),
        let space = CGColorSpace(name: CGColorSpace.sRGB),
        let image = CGImage(
            width: frame.width, height: frame.height, bitsPerComponent: 8, bitsPerPixel: 32,
            bytesPerRow: bytesPerRow, space: space,
            bitmapInfo: CGBitmapInfo(
                rawValue: alpha.rawValue | CGBitmapInfo.byteOrder32Little.rawValue),
            provider: provider, decode: nil, shouldInterpolate: true, intent: .defaultIntent)
    else { throw NelfError.badOutput("no picture can be made of it") }
    return image
}

/// Makes a BGRA pixel buffer of a frame of planes.
func makePicture(_ frame: FrameOutput) throws -> CVPixelBuffer {
    let buffer = try makePixelBuffer(
        width: frame.width, height: frame.height, format: kCVPixelFormatType_32BGRA)
    guard CVPixelBufferLockBaseAddress(buffer, []) == kCVReturnSuccess,
        let base = CVPixelBufferGetBaseAddress(buffer)
    else { throw NelfError.noResources("a pixel buffer cannot be written") }
    defer { CVPixelBufferUnlockBaseAddress(buffer, []) }
    let bytesPerRow = CVPixelBufferGetBytesPerRow(buffer)
    try interleave(
        frame, into: UnsafeMutableRawBufferPointer(start: base, count: bytesPerRow * frame.height),
        bytesPerRow)
    return buffer
}

/// Planes to BGRA with premultiplied alpha, by vImage: a loop would take longer than the network in a
/// build without optimization.
private func interleave(
    _ frame: FrameOutput, into target: UnsafeMutableRawBufferPointer, _ bytesPerRow: Int
) throws {
    let (width, height) = (frame.width, frame.height)
    let plane = width * height
    let isHalf = frame.storage == .planarFloat16
    let size = isHalf ? 2 : 4
    func view(_ start: UnsafeMutableRawPointer, _ rowBytes: Int) -> vImage_Buffer {
        vImage_Buffer(
            data: start, height: vImagePixelCount(height), width: vImagePixelCount(width),
            rowBytes: rowBytes)
    }
    let flags = vImage_Flags(kvImageNoFlags)
    // Without alpha all is opaque.
    var planes = [UInt8](repeating: 255, count: 4 * plane)
    let status: vImage_Error = frame.bytes.withUnsafeBytes { source in
        planes.withUnsafeMutableBytes { planar in
            guard let first = source.baseAddress, let bytes = planar.baseAddress,
                let pixels = target.baseAddress
            else { return kvImageNullPointerArgument }
            var eight = (0..<4).map { view(bytes + $0 * plane, width) }
            for channel in 0..<frame.channels {
                var input = view(
                    UnsafeMutableRawPointer(mutating: first + size * channel * plane), size * width)
                let status =
                    isHalf
                    ? vImageConvert_Planar16FtoPlanar8(&input, &eight[channel], flags)
                    : vImageConvert_PlanarFtoPlanar8(&input, &eight[channel], 1, 0, flags)
                guard status == kvImageNoError else { return status }
            }
            var (red, green, blue, alpha) = (eight[0], eight[1], eight[2], eight[3])
            var output = view(pixels, bytesPerRow)
            // The function names its planes in the order of memory, so blue goes first.
            let status = vImageConvert_Planar8toARGB8888(
                &blue, &green, &red, &alpha, &output, flags)
            guard status == kvImageNoError, frame.channels == 4 else { return status }
            return vImagePremultiplyData_RGBA8888(&output, &output, flags)
        }
    }
    guard status == kvImageNoError else { throw NelfError.badOutput("vImage ended with \(status)") }
}
