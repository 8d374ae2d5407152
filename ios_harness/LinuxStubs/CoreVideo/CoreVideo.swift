// The part of Core Video that the app uses, as Apple documents it; see LinuxStubs/README.md.

import Foundation
import Metal

public typealias CVReturn = Int32
public typealias OSType = UInt32
public typealias CFDictionary = [String: Any]

public let kCVReturnSuccess: CVReturn = 0
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241
public let kCVPixelFormatType_OneComponent16Half: OSType = 0x4c30_3068

public let kCVPixelBufferWidthKey = "Width"
public let kCVPixelBufferHeightKey = "Height"
public let kCVPixelBufferPixelFormatTypeKey = "PixelFormatType"
public let kCVPixelBufferIOSurfacePropertiesKey = "IOSurfaceProperties"
public let kCVPixelBufferMetalCompatibilityKey = "MetalCompatibility"

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}

public final class CVPixelBuffer {
    public let width: Int
    public let height: Int
    let format: OSType
    public let bytesPerRow: Int
    public let memory: UnsafeMutableRawPointer
    private let pool: CVPixelBufferPool?

    /// Only of the stub: rows are longer than their pixels, as those of real buffers may be.
    public convenience init(width: Int, height: Int, format: OSType) {
        self.init(width: width, height: height, format: format, pool: nil)
    }

    /// Takes memory from a pool, and gives it back.
    init(width: Int, height: Int, format: OSType, pool: CVPixelBufferPool?) {
        self.width = width
        self.height = height
        self.format = format
        self.pool = pool
        let pixel = format == kCVPixelFormatType_OneComponent16Half ? 2 : 4
        // Rows begin at multiples of 64 bytes, and here never right after one another.
        bytesPerRow = (pixel * width / 64 + 1) * 64
        if let used = pool?.free.popLast() {
            memory = used
            return
        }
        // Whole pages, as shared memory is handed out.
        let page = 16_384
        let size = (bytesPerRow * height + page - 1) / page * page
        memory = .allocate(byteCount: size, alignment: page)
        memory.initializeMemory(as: UInt8.self, repeating: 0xee, count: size)
        pool?.made += 1
    }

    deinit {
        if let pool {
            pool.free.append(memory)
        } else {
            memory.deallocate()
        }
    }
}

/// Buffers of one size, of which the memory is used again when nobody holds them any more.
public final class CVPixelBufferPool {
    let attributes: [String: Any]
    var free: [UnsafeMutableRawPointer] = []
    /// Only of the stub: how often memory was allocated.
    public internal(set) var made = 0

    init(_ attributes: [String: Any]) {
        self.attributes = attributes
    }

    deinit {
        for memory in free { memory.deallocate() }
    }
}

public func CVPixelBufferPoolCreate(
    _ allocator: AnyObject?, _ poolAttributes: CFDictionary?, _ attributes: CFDictionary?,
    _ out: UnsafeMutablePointer<CVPixelBufferPool?>
) -> CVReturn {
    out.pointee = CVPixelBufferPool(attributes ?? [:])
    return kCVReturnSuccess
}

public func CVPixelBufferPoolCreatePixelBuffer(
    _ allocator: AnyObject?, _ pool: CVPixelBufferPool,
    _ out: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
    guard let width = pool.attributes[kCVPixelBufferWidthKey] as? Int,
        let height = pool.attributes[kCVPixelBufferHeightKey] as? Int,
        let format = pool.attributes[kCVPixelBufferPixelFormatTypeKey] as? OSType
    else { return -6682 }
    out.pointee = CVPixelBuffer(width: width, height: height, format: format, pool: pool)
    return kCVReturnSuccess
}

public func CVPixelBufferCreate(
    _ allocator: AnyObject?, _ width: Int, _ height: Int, _ format: OSType,
    _ attributes: CFDictionary?, _ out: UnsafeMutablePointer<CVPixelBuffer?>
) -> CVReturn {
    // As large as a texture may be; whether the system's own limit is the same is not known.
    guard height <= 16_384 else { return -6661 }
    out.pointee = CVPixelBuffer(width: width, height: height, format: format)
    return kCVReturnSuccess
}

public func CVPixelBufferLockBaseAddress(
    _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
    kCVReturnSuccess
}

@discardableResult
public func CVPixelBufferUnlockBaseAddress(
    _ buffer: CVPixelBuffer, _ flags: CVPixelBufferLockFlags
) -> CVReturn {
    kCVReturnSuccess
}

public func CVPixelBufferGetBaseAddress(_ buffer: CVPixelBuffer) -> UnsafeMutableRawPointer? {
    buffer.memory
}

public func CVPixelBufferGetBytesPerRow(_ buffer: CVPixelBuffer) -> Int { buffer.bytesPerRow }

public func CVPixelBufferGetWidth(_ buffer: CVPixelBuffer) -> Int { buffer.width }

public func CVPixelBufferGetHeight(_ buffer: CVPixelBuffer) -> Int { buffer.height }

public func CVPixelBufferGetPixelFormatType(_ buffer: CVPixelBuffer) -> OSType { buffer.format }

public final class CVMetalTextureCache {}

public final class CVMetalTexture {}

public func CVMetalTextureCacheCreate(
    _ allocator: AnyObject?, _ attributes: CFDictionary?, _ device: any MTLDevice,
    _ textureAttributes: CFDictionary?, _ out: UnsafeMutablePointer<CVMetalTextureCache?>
) -> CVReturn {
    out.pointee = CVMetalTextureCache()
    return kCVReturnSuccess
}

public func CVMetalTextureCacheCreateTextureFromImage(
    _ allocator: AnyObject?, _ cache: CVMetalTextureCache, _ image: CVPixelBuffer,
    _ attributes: CFDictionary?, _ format: MTLPixelFormat, _ width: Int, _ height: Int,
    _ plane: Int, _ out: UnsafeMutablePointer<CVMetalTexture?>
) -> CVReturn {
    out.pointee = CVMetalTexture()
    return kCVReturnSuccess
}

public func CVMetalTextureGetTexture(_ texture: CVMetalTexture) -> (any MTLTexture)? { nil }
