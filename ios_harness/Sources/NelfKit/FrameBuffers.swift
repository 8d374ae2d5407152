import CoreML
import CoreVideo
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Shortest row, in elements, for which a pixel buffer is worth its padded rows.
private let shortestSurfaceRow = 32

/// Returns an array for one border of a model.
///
/// In fp16 it is a view of a pixel buffer in shared memory, which the Neural Engine reads and writes
/// without a copy; rows are padded there, so tensors with rows of a few numbers lie in plain memory,
/// and so does what the system makes no pixel buffer for, of 31 200 rows, say.
func makeArray(_ spec: TensorSpec) throws -> MLMultiArray {
    let width = spec.shape[spec.shape.count - 1]
    let buffer =
        isShared(spec)
        ? try? makePixelBuffer(
            width: width, height: spec.count / width, format: kCVPixelFormatType_OneComponent16Half)
        : nil
    return try makeArray(spec, in: buffer)
}

private func isShared(_ spec: TensorSpec) -> Bool {
    spec.element == .float16 && spec.shape[spec.shape.count - 1] >= shortestSurfaceRow
}

private func makeArray(_ spec: TensorSpec, in buffer: CVPixelBuffer?) throws -> MLMultiArray {
    let shape = spec.shape.map { NSNumber(value: $0) }
    if let buffer { return MLMultiArray(pixelBuffer: buffer, shape: shape) }
    return try MLMultiArray(shape: shape, dataType: spec.element.coreML)
}

/// Describes memory that processors and Metal share.
private func sharedMemory() -> [String: Any] {
    [
        kCVPixelBufferIOSurfacePropertiesKey as String: [String: Any](),
        kCVPixelBufferMetalCompatibilityKey as String: true,
    ]
}

/// Returns a pixel buffer in memory that processors and Metal share.
func makePixelBuffer(width: Int, height: Int, format: OSType) throws -> CVPixelBuffer {
    var buffer: CVPixelBuffer?
    let status = CVPixelBufferCreate(
        nil, width, height, format, sharedMemory() as CFDictionary, &buffer)
    guard status == kCVReturnSuccess, let buffer else {
        throw NelfError.noResources("no pixel buffer of \(width)×\(height), status \(status)")
    }
    return buffer
}

/// Memory for frames: a buffer of its own for each, since one may be on the screen while the next is
/// computed, and used again when nobody holds its frame any more.
final class FrameOutputs {
    private let output: TensorSpec
    private let form: OutputForm
    /// Nil where frames do not lie in pixel buffers, or the system makes no pool.
    let pool: CVPixelBufferPool?

    init(_ contract: Contract) {
        output = contract.output
        form = contract.outputForm
        let width = output.shape[3]
        let isPicture = form == .image
        guard isPicture || isShared(output) else {
            pool = nil
            return
        }
        let attributes = sharedMemory().merging([
            kCVPixelBufferWidthKey as String: width,
            kCVPixelBufferHeightKey as String:
                isPicture ? output.shape[2] : output.count / width,
            kCVPixelBufferPixelFormatTypeKey as String:
                isPicture ? kCVPixelFormatType_32BGRA : kCVPixelFormatType_OneComponent16Half,
        ]) { _, size in size }
        var made: CVPixelBufferPool?
        _ = CVPixelBufferPoolCreate(nil, nil, attributes as CFDictionary, &made)
        pool = made
    }

    /// Returns what the next frame is to be written to, by the output's name.
    ///
    /// - Throws: `NelfError.noResources`, or what Core ML throws.
    func next() throws -> [String: Any] {
        var buffer: CVPixelBuffer?
        if let pool {
            _ = CVPixelBufferPoolCreatePixelBuffer(nil, pool, &buffer)
        }
        switch form {
        case .tensor:
            return [output.name: try buffer.map { try makeArray(output, in: $0) } ?? makeArray(output)]
        case .image:
            return [
                output.name: try buffer
                    ?? makePixelBuffer(
                        width: output.shape[3], height: output.shape[2],
                        format: kCVPixelFormatType_32BGRA)
            ]
        }
    }
}

/// Writes values into an array, whose rows may be padded.
func write(_ values: TensorValues, into array: MLMultiArray, element: ElementType) {
    let shape = array.shape.map(\.intValue)
    let row = shape[shape.count - 1] * element.bytes
    array.withUnsafeMutableBytes { target, strides in
        guard let base = target.baseAddress else { return }
        // Everything but the last axis lies row after row.
        let step = strides[max(strides.count - 2, 0)] * element.bytes
        values.withBytes { source in
            guard let first = source.baseAddress else { return }
            if step == row {
                base.copyMemory(from: first, byteCount: source.count)
                return
            }
            var index = 0
            while index < source.count / row {
                (base + index * step).copyMemory(from: first + index * row, byteCount: row)
                index &+= 1
            }
        }
    }
}

/// The inputs of one frame; used again for the next one, by one frame at a time.
final class FrameInputs: @unchecked Sendable {
    let features: MLDictionaryFeatureProvider
    /// Where Core ML is to write the frame.
    let options = MLPredictionOptions()
    private let contract: Contract
    private let arrays: [MLMultiArray]
    /// Nil where the processor computes them.
    private let metal: (encoder: MetalEncoder, input: MetalInput)?

    init(_ contract: Contract, encoder: MetalEncoder?) throws {
        self.contract = contract
        let specs = contract.inputs
        if let encoder {
            // Layout `embedded` has one input.
            let input = try MetalInput(specs[0], contract: contract, device: encoder.device)
            metal = (encoder, input)
            arrays = [input.array]
        } else {
            metal = nil
            arrays = try specs.map(makeArray)
        }
        var values: [String: MLFeatureValue] = [:]
        for (spec, array) in zip(specs, arrays) {
            values[spec.name] = MLFeatureValue(multiArray: array)
        }
        features = try MLDictionaryFeatureProvider(dictionary: values)
    }

    /// Computes the inputs of a pose.
    func fill(_ pose: Pose) async throws {
        if let metal {
            let tables = EmbeddedTables(
                contract.rayCamera(pose), encoder: contract.student.encoder)
            try await metal.encoder.encode(tables, into: metal.input)
        } else {
            fill(try Uploads(contract: contract, pose: pose))
        }
    }

    /// Copies numbers that were computed before.
    func fill(_ uploads: Uploads) {
        for (index, values) in uploads.tensors.enumerated() {
            write(values, into: arrays[index], element: contract.inputs[index].element)
        }
    }

    /// Copies out what the model would be given now.
    func read() throws -> Uploads {
        Uploads(
            tensors: try zip(arrays, contract.inputs).map { array, spec in
                TensorValues(bytes: try copyTensor(array, spec).bytes, of: spec.element)
            })
    }
}

/// Copies [1, channels, rows, columns] out of an array, whose rows may be padded.
///
/// - Throws: `NelfError.badOutput` if it is not an array of `spec`.
func copyTensor(_ array: MLMultiArray?, _ spec: TensorSpec) throws -> FrameOutput {
    let shape = spec.shape
    guard let array, array.dataType == spec.element.coreML, array.shape.map(\.intValue) == shape
    else {
        throw NelfError.badOutput("it is not an \(spec.element.rawValue) array of shape \(shape)")
    }
    let strides = array.strides.map(\.intValue)
    guard strides[3] == 1 else {
        throw NelfError.badOutput("its columns are \(strides[3]) values apart, expected 1")
    }
    let (channels, rows, columns) = (shape[1], shape[2], shape[3])
    let size = spec.element.bytes
    var bytes = Data(capacity: size * channels * rows * columns)
    array.withUnsafeBytes { raw in
        for channel in 0..<channels {
            for row in 0..<rows {
                let start = size * (channel * strides[1] + row * strides[2])
                bytes.append(contentsOf: raw[start..<start + size * columns])
            }
        }
    }
    return try FrameOutput(
        storage: size == 2 ? .planarFloat16 : .planarFloat32, width: columns, height: rows,
        channels: channels, bytes: bytes)
}

/// Copies an 8-bit picture out of a pixel buffer.
///
/// - Throws: `NelfError.badOutput` if it is not a BGRA buffer of the size in `shape`.
func copyPicture(_ buffer: CVPixelBuffer?, shape: [Int]) throws -> FrameOutput {
    let (channels, rows, columns) = (shape[1], shape[2], shape[3])
    guard let buffer,
        CVPixelBufferGetPixelFormatType(buffer) == kCVPixelFormatType_32BGRA,
        CVPixelBufferGetWidth(buffer) == columns, CVPixelBufferGetHeight(buffer) == rows,
        CVPixelBufferLockBaseAddress(buffer, .readOnly) == kCVReturnSuccess
    else {
        throw NelfError.badOutput("it is not a BGRA picture of \(columns)×\(rows)")
    }
    defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
    guard let base = CVPixelBufferGetBaseAddress(buffer) else {
        throw NelfError.badOutput("its memory cannot be read")
    }
    let bytesPerRow = CVPixelBufferGetBytesPerRow(buffer)
    return try FrameOutput(
        storage: .bgra8(bytesPerRow: bytesPerRow), width: columns, height: rows,
        channels: channels, bytes: Data(bytes: base, count: bytesPerRow * rows))
}
