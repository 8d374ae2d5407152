import Foundation

/// Numbers of one tensor in row-major order, in the type that the model takes.
public enum TensorValues: Equatable, Sendable {
    /// 16-bit floats by their bits.
    case float16([UInt16])
    case float32([Float])

    /// Rounds each number once.
    public init(_ values: [Double], as type: ElementType) {
        let count = values.count
        switch type {
        case .float16:
            self = .float16(
                [UInt16](unsafeUninitializedCapacity: count) { out, initialized in
                    values.withUnsafeBufferPointer { values in
                        guard let source = values.baseAddress, let target = out.baseAddress else {
                            return
                        }
                        var index = 0
                        while index < count {
                            target[index] = halfBits(source[index])
                            index &+= 1
                        }
                    }
                    initialized = count
                })
        case .float32:
            self = .float32(
                [Float](unsafeUninitializedCapacity: count) { out, initialized in
                    values.withUnsafeBufferPointer { values in
                        guard let source = values.baseAddress, let target = out.baseAddress else {
                            return
                        }
                        var index = 0
                        while index < count {
                            target[index] = Float(source[index])
                            index &+= 1
                        }
                    }
                    initialized = count
                })
        }
    }

    /// Takes the bytes of a tensor without gaps.
    public init(bytes: Data, of type: ElementType) {
        func elements<T>(_: T.Type) -> [T] {
            let count = bytes.count / MemoryLayout<T>.size
            return [T](unsafeUninitializedCapacity: count) { out, initialized in
                _ = bytes.copyBytes(to: out, count: count * MemoryLayout<T>.size)
                initialized = count
            }
        }
        switch type {
        case .float16: self = .float16(elements(UInt16.self))
        case .float32: self = .float32(elements(Float.self))
        }
    }

    /// Numbers in it.
    public var count: Int {
        switch self {
        case .float16(let bits): return bits.count
        case .float32(let values): return values.count
        }
    }

    /// A number in single precision.
    public subscript(index: Int) -> Float {
        switch self {
        case .float16(let bits): return floatOfHalf(bits[index])
        case .float32(let values): return values[index]
        }
    }

    /// Calls `body` with the bytes as they lie in a tensor without gaps.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        switch self {
        case .float16(let bits): return try bits.withUnsafeBytes(body)
        case .float32(let values): return try values.withUnsafeBytes(body)
        }
    }
}

/// The tensors of one frame, in the order of the contract's inputs.
public struct Uploads: Sendable {
    /// In the order of the contract's inputs.
    public let tensors: [TensorValues]

    /// Takes the tensors as they are.
    public init(tensors: [TensorValues]) {
        self.tensors = tensors
    }

    /// Computes the tensors of a pose.
    ///
    /// - Throws: `NelfError.badContract` if the contract names a tensor that its layout does not
    ///   have, or gives it another size.
    public init(contract: Contract, pose: Pose) throws {
        let values = contract.layout.host(
            contract.rayCamera(pose), encoder: contract.student.encoder)
        tensors = try contract.inputs.map { spec in
            guard let tensor = values[spec.name], tensor.count == spec.count else {
                throw NelfError.badContract(
                    "input \(spec.name) of shape \(spec.shape) does not belong to the layout "
                        + "\(contract.layout.rawValue)")
            }
            return TensorValues(tensor, as: spec.element)
        }
    }
}
