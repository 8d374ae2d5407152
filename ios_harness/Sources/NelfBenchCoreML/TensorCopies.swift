import CoreML
import CoreVideo
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// Returns a float32 array for one border of a model.
func makeArray(_ shape: [Int]) throws -> MLMultiArray {
    try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
}

/// Writes values in row-major order into an array that `makeArray` made, which has no gaps.
func fill(_ array: MLMultiArray, with values: [Float]) {
    array.withUnsafeMutableBytes { bytes, _ in
        values.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }
}

/// Copies [1, channels, rows, columns] out of an array, whose rows may be padded if Core ML made it.
///
/// - Throws: `BenchError.badOutput` if it is not a float32 array of `shape`.
func copyTensor(_ array: MLMultiArray?, shape: [Int]) throws -> FrameOutput {
    guard let array, array.dataType == .float32, array.shape.map(\.intValue) == shape else {
        throw BenchError.badOutput("it is not a float32 array of shape \(shape)")
    }
    let strides = array.strides.map(\.intValue)
    guard strides[3] == 1 else {
        throw BenchError.badOutput("its columns are \(strides[3]) values apart, expected 1")
    }
    let (channels, rows, columns) = (shape[1], shape[2], shape[3])
    var bytes = Data(capacity: 4 * channels * rows * columns)
    array.withUnsafeBytes { raw in
        for channel in 0..<channels {
            for row in 0..<rows {
                let start = 4 * (channel * strides[1] + row * strides[2])
                bytes.append(contentsOf: raw[start..<start + 4 * columns])
            }
        }
    }
    return try FrameOutput(
        storage: .planarFloat32, width: columns, height: rows, channels: channels, bytes: bytes)
}

/// Copies an 8-bit picture out of a pixel buffer.
///
/// - Throws: `BenchError.badOutput` if it is not a BGRA buffer of the size in `shape`.
func copyPicture(_ buffer: CVPixelBuffer?, shape: [Int]) throws -> FrameOutput {
    let (channels, rows, columns) = (shape[1], shape[2], shape[3])
    guard let buffer,
        CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_32BGRA,
        CVPixelBufferGetWidth(buffer) == columns, CVPixelBufferGetHeight(buffer) == rows,
        CVPixelBufferLockBaseAddress(buffer, .readOnly) == kCVReturnSuccess
    else {
        throw BenchError.badOutput("it is not a BGRA picture of \(columns)×\(rows)")
    }
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else {
        throw BenchError.badOutput("its memory cannot be read")
    }
    let bytesPerRow = CVPixelBufferGetBytesPerRow(buffer)
    return try FrameOutput(
        storage: .bgra8(bytesPerRow: bytesPerRow), width: columns, height: rows,
        channels: channels, bytes: Data(bytes: base, count: bytesPerRow * rows))
}
