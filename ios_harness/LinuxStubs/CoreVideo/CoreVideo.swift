// The part of Core Video that the Core ML layer uses, as Apple documents it. It proves nothing about
// Apple's headers; it lets the layer be type-checked and its control flow be tested on Linux.

public typealias CVReturn = Int32
public typealias OSType = UInt32

public let kCVReturnSuccess: CVReturn = 0
public let kCVPixelFormatType_32BGRA: OSType = 0x4247_5241

public struct CVPixelBufferLockFlags: OptionSet, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public static let readOnly = CVPixelBufferLockFlags(rawValue: 1)
}

public final class CVPixelBuffer {
    let width: Int
    let height: Int
    let bytesPerRow: Int
    let memory: UnsafeMutableRawPointer

    /// Only of the stub: rows are longer than their pixels, as those of real buffers may be.
    public init(width: Int, height: Int, fill: (Int) -> UInt8) {
        self.width = width
        self.height = height
        bytesPerRow = 4 * width + 16
        memory = .allocate(byteCount: bytesPerRow * height, alignment: 16)
        for index in 0..<bytesPerRow * height {
            memory.storeBytes(of: fill(index), toByteOffset: index, as: UInt8.self)
        }
    }

    deinit {
        memory.deallocate()
    }
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

public func CVPixelBufferGetPixelFormatType(_ buffer: CVPixelBuffer) -> OSType {
    kCVPixelFormatType_32BGRA
}
