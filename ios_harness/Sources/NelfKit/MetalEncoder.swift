import CoreML
import CoreVideo
import Foundation
import Metal

#if canImport(NelfCore)
import NelfCore
#endif

/// Computes the input of layout `embedded` by Metal, where the model reads it.
final class MetalEncoder: @unchecked Sendable {
    let device: any MTLDevice
    private let queue: any MTLCommandQueue
    private let pipeline: any MTLComputePipelineState

    /// - Throws: `NelfError.noResources` without Metal, or what the compiler of the kernel throws.
    init(_ device: (any MTLDevice)? = MTLCreateSystemDefaultDevice()) throws {
        guard let device, let queue = device.makeCommandQueue()
        else { throw NelfError.noResources("there is no Metal device") }
        let library = try device.makeLibrary(source: encoderShader, options: nil)
        guard let kernel = library.makeFunction(name: "nelf_embed") else {
            throw NelfError.noResources("the kernel nelf_embed is missing")
        }
        pipeline = try device.makeComputePipelineState(function: kernel)
        self.device = device
        self.queue = queue
    }

    /// Returns the encoder of a contract; nil where the processor computes the inputs.
    ///
    /// - Throws: `NelfError.noEncoder` if Metal is asked for and cannot do it.
    static func make(_ contract: Contract, asked: InputEncoder?) throws -> MetalEncoder? {
        let possible = InputEncoder.available(for: contract).contains(.metal)
        switch asked {
        case .cpu: return nil
        // Without Metal the processor still can.
        case nil: return possible ? try? MetalEncoder() : nil
        case .metal:
            guard possible else {
                throw NelfError.noEncoder(
                    "it writes layout embedded in fp16, and the model takes layout "
                        + "\(contract.layout.rawValue) in \(contract.inputs[0].element.rawValue)")
            }
            do { return try MetalEncoder() } catch {
                throw NelfError.noEncoder(error.localizedDescription)
            }
        }
    }

    /// Writes the encoding of a camera and returns when it is there.
    ///
    /// - Throws: `NelfError.noResources`, or what the graphics processor reports.
    func encode(_ tables: EmbeddedTables, into input: MetalInput) async throws {
        guard let commands = queue.makeCommandBuffer(),
            let encoder = commands.makeComputeCommandEncoder()
        else { throw NelfError.noResources("Metal takes no more work") }
        tables.values.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                input.tables.contents().copyMemory(from: base, byteCount: bytes.count)
            }
        }
        let sizes = tables.sizes + [UInt32(input.rowStep)]
        encoder.setComputePipelineState(pipeline)
        encoder.setBuffer(input.buffer, offset: 0, index: 0)
        encoder.setBuffer(input.tables, offset: 0, index: 1)
        sizes.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                encoder.setBytes(base, length: bytes.count, index: 2)
            }
        }
        // Threads beyond the grid return at once, so that every device can run whole groups.
        let group = MTLSize(width: 32, height: 4, depth: 1)
        encoder.dispatchThreadgroups(
            MTLSize(
                width: (Int(sizes[2]) + group.width - 1) / group.width,
                height: (Int(sizes[3]) + group.height - 1) / group.height, depth: Int(sizes[0])),
            threadsPerThreadgroup: group)
        encoder.endEncoding()
        let failure: (any Error)? = await withCheckedContinuation { continuation in
            commands.addCompletedHandler { continuation.resume(returning: $0.error) }
            commands.commit()
        }
        if let failure { throw failure }
    }
}

/// An input that Metal writes to.
struct MetalInput: @unchecked Sendable {
    let array: MLMultiArray
    /// The same memory.
    let buffer: any MTLBuffer
    /// What the kernel multiplies.
    let tables: any MTLBuffer
    /// Elements from row to row.
    let rowStep: Int

    /// Takes memory that the Neural Engine shares, where the system hands out so large a pixel buffer
    /// in whole pages; else memory of Metal, of which Core ML makes a copy for the Neural Engine.
    ///
    /// - Throws: `NelfError.noResources`, or what Core ML throws.
    init(_ spec: TensorSpec, contract: Contract, device: any MTLDevice) throws {
        let student = contract.student
        let count = EmbeddedTables.count(
            width: student.rayWidth, height: student.rayHeight, encoder: student.encoder)
        guard
            let tables = device.makeBuffer(
                length: count * MemoryLayout<Float>.size, options: .storageModeShared)
        else { throw NelfError.noResources("no memory for tables") }
        self.tables = tables
        let array = try makeArray(spec)
        if let pixels = array.pixelBuffer, let buffer = wholeBuffer(pixels, device) {
            self.array = array
            self.buffer = buffer
            rowStep = CVPixelBufferGetBytesPerRow(pixels) / spec.element.bytes
            return
        }
        guard
            let buffer = device.makeBuffer(
                length: spec.count * spec.element.bytes, options: .storageModeShared)
        else { throw NelfError.noResources("no memory for \(spec.name)") }
        self.buffer = buffer
        self.array = try MLMultiArray(
            dataPointer: buffer.contents(), shape: spec.shape.map { NSNumber(value: $0) },
            dataType: spec.element.coreML, strides: steps(spec.shape).map { NSNumber(value: $0) },
            deallocator: nil)
        rowStep = spec.shape[spec.shape.count - 1]
    }
}

/// Elements from one index to the next along each axis of a tensor without gaps.
private func steps(_ shape: [Int]) -> [Int] {
    var steps = [Int](repeating: 1, count: shape.count)
    for axis in stride(from: shape.count - 2, through: 0, by: -1) {
        steps[axis] = steps[axis + 1] * shape[axis + 1]
    }
    return steps
}

/// Returns a pixel buffer's memory as a buffer of Metal; nil if it does not consist of whole pages,
/// which Metal demands of memory that it did not allocate.
private func wholeBuffer(_ pixels: CVPixelBuffer, _ device: any MTLDevice) -> (any MTLBuffer)? {
    // The place stays the same as long as the pixel buffer is there.
    guard CVPixelBufferLockBaseAddress(pixels, []) == kCVReturnSuccess else { return nil }
    defer { CVPixelBufferUnlockBaseAddress(pixels, []) }
    let page = Int(getpagesize())
    let bytes = CVPixelBufferGetBytesPerRow(pixels) * CVPixelBufferGetHeight(pixels)
    guard let base = CVPixelBufferGetBaseAddress(pixels), Int(bitPattern: base) % page == 0 else {
        return nil
    }
    // Shared memory is handed out by the page, so the rest of the last one belongs to it.
    return device.makeBuffer(
        bytesNoCopy: base, length: (bytes + page - 1) / page * page, options: .storageModeShared,
        deallocator: nil)
}
