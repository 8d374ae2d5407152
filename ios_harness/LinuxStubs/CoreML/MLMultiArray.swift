// The part of Core ML that the app uses, as Apple documents it; see LinuxStubs/README.md.

import CoreVideo
import Foundation

public enum MLMultiArrayDataType: Int, Sendable {
    case double = 65600
    case float16 = 65552
    case float32 = 65568
    case int32 = 131104
}

public final class MLMultiArray {
    public let shape: [NSNumber]
    public let strides: [NSNumber]
    public let dataType: MLMultiArrayDataType
    public let pixelBuffer: CVPixelBuffer?
    let storage: UnsafeMutableRawBufferPointer
    private let isOwner: Bool

    public convenience init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {
        try self.init(shape: shape, dataType: dataType, rowPadding: 0)
    }

    /// Only of the stub: an array with padded rows, as Core ML may hand out.
    public init(shape: [NSNumber], dataType: MLMultiArrayDataType, rowPadding: Int) throws {
        self.shape = shape
        self.dataType = dataType
        pixelBuffer = nil
        isOwner = true
        let sizes = shape.map(\.intValue)
        let steps = Self.steps(sizes, row: sizes[sizes.count - 1] + rowPadding)
        strides = steps.map { NSNumber(value: $0) }
        let bytes = dataType == .float16 ? 2 : 4
        storage = .allocate(byteCount: bytes * steps[0] * sizes[0], alignment: 64)
        storage.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// A view of memory that stays the caller's.
    public init(
        dataPointer: UnsafeMutableRawPointer, shape: [NSNumber], dataType: MLMultiArrayDataType,
        strides: [NSNumber], deallocator: ((UnsafeMutableRawPointer) -> Void)?
    ) throws {
        self.shape = shape
        self.strides = strides
        self.dataType = dataType
        pixelBuffer = nil
        isOwner = false
        let bytes = dataType == .float16 ? 2 : 4
        storage = UnsafeMutableRawBufferPointer(
            start: dataPointer, count: bytes * strides[0].intValue * shape[0].intValue)
    }

    /// A view of the buffer: the last axis is its width, all others are its height.
    public init(pixelBuffer: CVPixelBuffer, shape: [NSNumber]) {
        self.shape = shape
        self.pixelBuffer = pixelBuffer
        isOwner = false
        dataType = .float16
        let steps = Self.steps(shape.map(\.intValue), row: pixelBuffer.bytesPerRow / 2)
        strides = steps.map { NSNumber(value: $0) }
        storage = UnsafeMutableRawBufferPointer(
            start: pixelBuffer.memory, count: pixelBuffer.bytesPerRow * pixelBuffer.height)
    }

    deinit {
        if isOwner {
            storage.deallocate()
        }
    }

    private static func steps(_ sizes: [Int], row: Int) -> [Int] {
        var steps = [Int](repeating: 1, count: sizes.count)
        for axis in stride(from: sizes.count - 2, through: 0, by: -1) {
            steps[axis] = axis == sizes.count - 2 ? row : steps[axis + 1] * sizes[axis + 1]
        }
        return steps
    }

    public var count: Int { shape.reduce(1) { $0 * $1.intValue } }

    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(storage))
    }

    public func withUnsafeMutableBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer, [Int]) throws -> R
    ) rethrows -> R {
        try body(storage, strides.map(\.intValue))
    }
}
