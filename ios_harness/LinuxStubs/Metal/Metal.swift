// The part of Metal that the app uses, as Apple documents it; see LinuxStubs/README.md. There is no
// device, as on a machine without a GPU.

import Foundation

public enum MTLPixelFormat: UInt, Sendable {
    case invalid = 0
    case r16Float = 25
    case r32Float = 55
    case bgra8Unorm = 80
}

public struct MTLTextureUsage: OptionSet, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    public static let shaderRead = MTLTextureUsage(rawValue: 1)
    public static let shaderWrite = MTLTextureUsage(rawValue: 2)
    public static let renderTarget = MTLTextureUsage(rawValue: 4)
}

public struct MTLRegion: Sendable {}

public func MTLRegionMake2D(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> MTLRegion {
    MTLRegion()
}

public protocol MTLTexture: AnyObject, Sendable {
    var width: Int { get }
    var height: Int { get }

    func replace(
        region: MTLRegion, mipmapLevel level: Int, withBytes pixelBytes: UnsafeRawPointer,
        bytesPerRow: Int)
}

public protocol MTLFunction: AnyObject, Sendable {}

public final class MTLCompileOptions {
    public init() {}
}

public protocol MTLLibrary: AnyObject, Sendable {
    func makeFunction(name functionName: String) -> (any MTLFunction)?
}

public protocol MTLRenderPipelineState: AnyObject, Sendable {}

public final class MTLRenderPipelineColorAttachmentDescriptor {
    public var pixelFormat: MTLPixelFormat = .invalid
}

public final class MTLRenderPipelineColorAttachmentDescriptorArray {
    private let descriptor = MTLRenderPipelineColorAttachmentDescriptor()

    public subscript(index: Int) -> MTLRenderPipelineColorAttachmentDescriptor! { descriptor }
}

public final class MTLRenderPipelineDescriptor {
    public var vertexFunction: (any MTLFunction)?
    public var fragmentFunction: (any MTLFunction)?
    public let colorAttachments = MTLRenderPipelineColorAttachmentDescriptorArray()

    public init() {}
}

public enum MTLLoadAction: UInt, Sendable {
    case dontCare, load, clear
}

public enum MTLStoreAction: UInt, Sendable {
    case dontCare, store
}

public final class MTLRenderPassColorAttachmentDescriptor {
    public var texture: (any MTLTexture)?
    public var loadAction: MTLLoadAction = .dontCare
    public var storeAction: MTLStoreAction = .dontCare
}

public final class MTLRenderPassColorAttachmentDescriptorArray {
    private let descriptor = MTLRenderPassColorAttachmentDescriptor()

    public subscript(index: Int) -> MTLRenderPassColorAttachmentDescriptor! { descriptor }
}

public final class MTLRenderPassDescriptor {
    public let colorAttachments = MTLRenderPassColorAttachmentDescriptorArray()

    public init() {}
}

public enum MTLPrimitiveType: UInt, Sendable {
    case triangle = 3
}

public protocol MTLRenderCommandEncoder: AnyObject {
    func setRenderPipelineState(_ pipelineState: any MTLRenderPipelineState)
    func setFragmentTexture(_ texture: (any MTLTexture)?, index: Int)
    func setFragmentBytes(_ bytes: UnsafeRawPointer, length: Int, index: Int)
    func drawPrimitives(type primitiveType: MTLPrimitiveType, vertexStart: Int, vertexCount: Int)
    func endEncoding()
}

public struct MTLResourceOptions: OptionSet, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    public static let storageModeShared = MTLResourceOptions([])
}

public protocol MTLBuffer: AnyObject, Sendable {
    var length: Int { get }

    func contents() -> UnsafeMutableRawPointer
}

public struct MTLSize: Sendable {
    public var width: Int
    public var height: Int
    public var depth: Int

    public init(width: Int, height: Int, depth: Int) {
        self.width = width
        self.height = height
        self.depth = depth
    }
}

public protocol MTLComputePipelineState: AnyObject, Sendable {}

public protocol MTLComputeCommandEncoder: AnyObject {
    func setComputePipelineState(_ state: any MTLComputePipelineState)
    func setBuffer(_ buffer: (any MTLBuffer)?, offset: Int, index: Int)
    func setBytes(_ bytes: UnsafeRawPointer, length: Int, index: Int)
    func dispatchThreadgroups(
        _ threadgroupsPerGrid: MTLSize, threadsPerThreadgroup: MTLSize)
    func endEncoding()
}

public protocol MTLDrawable: AnyObject {
    func present()
}

public protocol MTLCommandBuffer: AnyObject {
    var error: (any Error)? { get }

    func makeComputeCommandEncoder() -> (any MTLComputeCommandEncoder)?
    func makeRenderCommandEncoder(
        descriptor renderPassDescriptor: MTLRenderPassDescriptor
    ) -> (any MTLRenderCommandEncoder)?
    func addCompletedHandler(_ block: @escaping @Sendable (any MTLCommandBuffer) -> Void)
    func present(_ drawable: any MTLDrawable)
    func commit()
}

public protocol MTLCommandQueue: AnyObject, Sendable {
    func makeCommandBuffer() -> (any MTLCommandBuffer)?
}

public final class MTLTextureDescriptor {
    public var usage: MTLTextureUsage = .shaderRead

    public static func texture2DDescriptor(
        pixelFormat: MTLPixelFormat, width: Int, height: Int, mipmapped: Bool
    ) -> MTLTextureDescriptor {
        MTLTextureDescriptor()
    }
}

public protocol MTLDevice: AnyObject, Sendable {
    func makeCommandQueue() -> (any MTLCommandQueue)?
    func makeLibrary(source: String, options: MTLCompileOptions?) throws -> any MTLLibrary
    func makeRenderPipelineState(
        descriptor: MTLRenderPipelineDescriptor
    ) throws -> any MTLRenderPipelineState
    func makeTexture(descriptor: MTLTextureDescriptor) -> (any MTLTexture)?
    func makeBuffer(length: Int, options: MTLResourceOptions) -> (any MTLBuffer)?
    func makeBuffer(
        bytesNoCopy pointer: UnsafeMutableRawPointer, length: Int, options: MTLResourceOptions,
        deallocator: ((UnsafeMutableRawPointer, Int) -> Void)?
    ) -> (any MTLBuffer)?
    func makeComputePipelineState(
        function computeFunction: any MTLFunction
    ) throws -> any MTLComputePipelineState
}

public func MTLCreateSystemDefaultDevice() -> (any MTLDevice)? { nil }
