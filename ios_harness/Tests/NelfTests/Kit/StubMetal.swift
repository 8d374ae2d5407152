import Foundation
import Metal

/// A device of Metal that runs one kernel, `nelf_embed`, by what its text says, written once more
/// in Swift. That the text itself computes this is shown elsewhere, by running it as C++.
final class StubMetalDevice: MTLDevice, @unchecked Sendable {
    /// Buffers over memory that was not allocated here.
    private(set) var shared = 0

    func makeCommandQueue() -> (any MTLCommandQueue)? { StubQueue() }

    func makeLibrary(source: String, options: MTLCompileOptions?) throws -> any MTLLibrary {
        StubLibrary(source: source)
    }

    func makeRenderPipelineState(
        descriptor: MTLRenderPipelineDescriptor
    ) throws -> any MTLRenderPipelineState {
        throw CocoaError(.featureUnsupported)
    }

    func makeTexture(descriptor: MTLTextureDescriptor) -> (any MTLTexture)? { nil }

    func makeBuffer(length: Int, options: MTLResourceOptions) -> (any MTLBuffer)? {
        StubBuffer(.allocate(byteCount: length, alignment: 64), length, isOwner: true)
    }

    func makeBuffer(
        bytesNoCopy pointer: UnsafeMutableRawPointer, length: Int, options: MTLResourceOptions,
        deallocator: ((UnsafeMutableRawPointer, Int) -> Void)?
    ) -> (any MTLBuffer)? {
        guard Int(bitPattern: pointer) % Int(getpagesize()) == 0,
            length % Int(getpagesize()) == 0
        else { return nil }
        shared += 1
        return StubBuffer(pointer, length, isOwner: false)
    }

    func makeComputePipelineState(
        function computeFunction: any MTLFunction
    ) throws -> any MTLComputePipelineState { StubPipeline() }
}

private final class StubPipeline: MTLComputePipelineState {}

private final class StubFunction: MTLFunction {}

private final class StubLibrary: MTLLibrary {
    private let source: String

    init(source: String) {
        self.source = source
    }

    func makeFunction(name functionName: String) -> (any MTLFunction)? {
        source.contains("kernel void \(functionName)(") ? StubFunction() : nil
    }
}

private final class StubBuffer: MTLBuffer, @unchecked Sendable {
    let length: Int
    private let memory: UnsafeMutableRawPointer
    private let isOwner: Bool

    init(_ memory: UnsafeMutableRawPointer, _ length: Int, isOwner: Bool) {
        self.memory = memory
        self.length = length
        self.isOwner = isOwner
    }

    deinit {
        if isOwner { memory.deallocate() }
    }

    func contents() -> UnsafeMutableRawPointer { memory }
}

private final class StubQueue: MTLCommandQueue {
    func makeCommandBuffer() -> (any MTLCommandBuffer)? { StubCommands() }
}

private final class StubCommands: MTLCommandBuffer {
    private let encoder = StubEncoder()
    private var handlers: [@Sendable (any MTLCommandBuffer) -> Void] = []

    var error: (any Error)? { nil }

    func makeComputeCommandEncoder() -> (any MTLComputeCommandEncoder)? { encoder }

    func makeRenderCommandEncoder(
        descriptor renderPassDescriptor: MTLRenderPassDescriptor
    ) -> (any MTLRenderCommandEncoder)? { nil }

    func addCompletedHandler(_ block: @escaping @Sendable (any MTLCommandBuffer) -> Void) {
        handlers.append(block)
    }

    func present(_ drawable: any MTLDrawable) {}

    func commit() {
        encoder.run()
        handlers.forEach { $0(self) }
    }
}

private final class StubEncoder: MTLComputeCommandEncoder {
    private var buffers: [Int: any MTLBuffer] = [:]
    private var sizes: [Int] = []
    private var threads = (x: 0, y: 0, z: 0)
    private var isEnded = false

    func setComputePipelineState(_ state: any MTLComputePipelineState) {}

    func setBuffer(_ buffer: (any MTLBuffer)?, offset: Int, index: Int) {
        buffers[index] = buffer
    }

    func setBytes(_ bytes: UnsafeRawPointer, length: Int, index: Int) {
        guard index == 2 else { return }
        sizes = (0..<length / 4).map { Int(bytes.load(fromByteOffset: 4 * $0, as: UInt32.self)) }
    }

    func dispatchThreadgroups(_ threadgroupsPerGrid: MTLSize, threadsPerThreadgroup: MTLSize) {
        threads = (
            threadgroupsPerGrid.width * threadsPerThreadgroup.width,
            threadgroupsPerGrid.height * threadsPerThreadgroup.height,
            threadgroupsPerGrid.depth * threadsPerThreadgroup.depth
        )
    }

    func endEncoding() { isEnded = true }

    func run() {
        guard isEnded, sizes.count == 5, let input = buffers[0], let given = buffers[1] else {
            return
        }
        let (coordinates, levels, width, height, step) = (
            sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
        )
        let phases = coordinates * levels
        let tables = given.contents().assumingMemoryBound(to: Float.self)
        let out = input.contents().assumingMemoryBound(to: Float16.self)
        let (rows, last) = (
            (2 * phases + coordinates) * width, coordinates * (2 * levels + 1) * height * step
        )
        precondition(2 * last <= input.length)
        precondition(4 * (rows + (2 * phases + coordinates) * height) <= given.length)
        for z in 0..<min(threads.z, coordinates) {
            for y in 0..<min(threads.y, height) {
                for x in 0..<min(threads.x, width) {
                    func place(_ channel: Int) -> Int {
                        ((z * (2 * levels + 1) + channel) * height + y) * step + x
                    }
                    for level in 0..<levels {
                        let phase = level * coordinates + z
                        let (sa, ca) = (
                            tables[phase * width + x], tables[(phases + phase) * width + x]
                        )
                        let (sb, cb) = (
                            tables[rows + phase * height + y],
                            tables[rows + (phases + phase) * height + y]
                        )
                        out[place(level)] = Float16(sa * cb + ca * sb)
                        out[place(levels + level)] = Float16(ca * cb - sa * sb)
                    }
                    out[place(2 * levels)] = Float16(
                        tables[(2 * phases + z) * width + x]
                            + tables[rows + (2 * phases + z) * height + y])
                }
            }
        }
    }
}
