import CoreML
import CoreVideo
import Foundation
import Metal

#if canImport(NelfCore)
import NelfCore
#endif

/// Draws frames with Metal. Frames in fp16 and pictures lie in memory that Metal reads as it is; of
/// others the planes are copied once.
@MainActor
public final class FrameRenderer {
    /// The renderer on the system's device; there is one, or a reason why not.
    public static let shared = Result { try FrameRenderer() }

    /// Of every target that is drawn to.
    public static let pixelFormat = MTLPixelFormat.bgra8Unorm

    /// The graphics processor that draws.
    public let device: any MTLDevice
    private let queue: any MTLCommandQueue
    private let planes: any MTLRenderPipelineState
    private let picture: any MTLRenderPipelineState
    private let cache: CVMetalTextureCache

    init() throws {
        guard let device = MTLCreateSystemDefaultDevice(), let queue = device.makeCommandQueue()
        else { throw NelfError.noResources("there is no Metal device") }
        let library = try device.makeLibrary(source: frameShaders, options: nil)
        func pipeline(_ name: String) throws -> any MTLRenderPipelineState {
            let descriptor = MTLRenderPipelineDescriptor()
            descriptor.vertexFunction = library.makeFunction(name: "nelf_corner")
            descriptor.fragmentFunction = library.makeFunction(name: name)
            descriptor.colorAttachments[0].pixelFormat = Self.pixelFormat
            return try device.makeRenderPipelineState(descriptor: descriptor)
        }
        var cache: CVMetalTextureCache?
        let status = CVMetalTextureCacheCreate(nil, nil, device, nil, &cache)
        guard status == kCVReturnSuccess, let cache else {
            throw NelfError.noResources("no cache of textures, status \(status)")
        }
        self.device = device
        self.queue = queue
        self.cache = cache
        planes = try pipeline("nelf_planes")
        picture = try pipeline("nelf_picture")
    }

    /// Draws a frame over the whole of a texture; premultiplied alpha.
    ///
    /// - Parameters:
    ///   - present: Called before the work is handed over, to present a drawable.
    /// - Throws: `NelfError.noResources`.
    public func draw(
        _ frame: NelfFrame, to target: any MTLTexture,
        present: (any MTLCommandBuffer) -> Void = { _ in }
    ) throws {
        let pass = MTLRenderPassDescriptor()
        pass.colorAttachments[0].texture = target
        pass.colorAttachments[0].loadAction = .dontCare
        pass.colorAttachments[0].storeAction = .store
        guard let buffer = queue.makeCommandBuffer(),
            let encoder = buffer.makeRenderCommandEncoder(descriptor: pass)
        else { throw NelfError.noResources("Metal takes no more work") }
        let source: TextureView
        switch frame.pixels {
        case .planes(let array):
            encoder.setRenderPipelineState(planes)
            source = try planeTexture(array, frame)
            var channels = UInt32(frame.hasAlpha ? 4 : 3)
            encoder.setFragmentBytes(&channels, length: MemoryLayout<UInt32>.size, index: 0)
        case .picture(let pixels):
            encoder.setRenderPipelineState(picture)
            source = try texture(of: pixels, format: .bgra8Unorm)
        }
        encoder.setFragmentTexture(source.texture, index: 0)
        encoder.drawPrimitives(type: .triangle, vertexStart: 0, vertexCount: 3)
        encoder.endEncoding()
        // What is drawn must outlive the drawing, for the next frame may take its memory.
        buffer.addCompletedHandler { _ in withExtendedLifetime((frame, source)) {} }
        present(buffer)
        buffer.commit()
    }

    /// Returns a new texture with a frame in it.
    func texture(_ frame: NelfFrame) throws -> any MTLTexture {
        let target = try makeTexture(
            Self.pixelFormat, width: frame.width, height: frame.height,
            usage: [.renderTarget, .shaderRead])
        try draw(frame, to: target)
        return target
    }

    private func planeTexture(_ array: MLMultiArray, _ frame: NelfFrame) throws -> TextureView {
        if array.dataType == .float16, let buffer = array.pixelBuffer {
            return try texture(of: buffer, format: .r16Float)
        }
        let values = try frame.values()
        let isHalf = values.storage == .planarFloat16
        let height = values.height * values.channels
        let texture = try makeTexture(
            isHalf ? .r16Float : .r32Float, width: values.width, height: height,
            usage: .shaderRead)
        values.bytes.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress {
                texture.replace(
                    region: MTLRegionMake2D(0, 0, values.width, height), mipmapLevel: 0,
                    withBytes: base, bytesPerRow: (isHalf ? 2 : 4) * values.width)
            }
        }
        return TextureView(texture: texture, owner: nil)
    }

    private func texture(
        of buffer: CVPixelBuffer, format: MTLPixelFormat
    ) throws -> TextureView {
        var view: CVMetalTexture?
        let status = CVMetalTextureCacheCreateTextureFromImage(
            nil, cache, buffer, nil, format, CVPixelBufferGetWidth(buffer),
            CVPixelBufferGetHeight(buffer), 0, &view)
        guard status == kCVReturnSuccess, let view, let texture = CVMetalTextureGetTexture(view)
        else { throw NelfError.noResources("a frame is not a texture, status \(status)") }
        return TextureView(texture: texture, owner: view)
    }

    private func makeTexture(
        _ format: MTLPixelFormat, width: Int, height: Int, usage: MTLTextureUsage
    ) throws -> any MTLTexture {
        let descriptor = MTLTextureDescriptor.texture2DDescriptor(
            pixelFormat: format, width: width, height: height, mipmapped: false)
        descriptor.usage = usage
        guard let texture = device.makeTexture(descriptor: descriptor) else {
            throw NelfError.noResources("no texture of \(width)×\(height)")
        }
        return texture
    }
}

/// A texture and what keeps its memory.
private struct TextureView: @unchecked Sendable {
    let texture: any MTLTexture
    let owner: CVMetalTexture?
}
