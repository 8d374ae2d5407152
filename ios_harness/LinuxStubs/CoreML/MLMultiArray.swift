// The part of Core ML that the app uses, as Apple documents it. It proves nothing about Apple's
// headers; it lets the Core ML layer be type-checked and its control flow be tested on Linux.

import Foundation

public enum MLMultiArrayDataType: Int, Sendable {
    case float16 = 65552
    case float32 = 65568
}

public final class MLMultiArray {
    public let shape: [NSNumber]
    public let strides: [NSNumber]
    public let dataType: MLMultiArrayDataType
    let storage: UnsafeMutableRawBufferPointer

    public convenience init(shape: [NSNumber], dataType: MLMultiArrayDataType) throws {
        try self.init(shape: shape, dataType: dataType, rowPadding: 0)
    }

    /// Only of the stub: an array with padded rows, as Core ML may hand out.
    public init(shape: [NSNumber], dataType: MLMultiArrayDataType, rowPadding: Int) throws {
        self.shape = shape
        self.dataType = dataType
        let sizes = shape.map(\.intValue)
        var steps = [Int](repeating: 1, count: sizes.count)
        for axis in stride(from: sizes.count - 2, through: 0, by: -1) {
            let padding = axis == sizes.count - 2 ? rowPadding : 0
            steps[axis] = steps[axis + 1] * sizes[axis + 1] + padding
        }
        strides = steps.map { NSNumber(value: $0) }
        storage = .allocate(byteCount: 4 * steps[0] * sizes[0], alignment: 64)
        storage.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        storage.deallocate()
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
