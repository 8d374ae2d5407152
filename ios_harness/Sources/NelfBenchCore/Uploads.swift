import Foundation

/// The tensors of one frame, in the order of the contract's inputs.
public struct Uploads: Sendable {
    /// Uploads are rounded to float once; anything above is a mistake. Relative above 1.
    static let tolerance = 1e-5

    public let tensors: [[Float]]

    /// Computes the tensors of a pose.
    ///
    /// - Throws: `BenchError.badConfig` if the contract names a tensor that its layout does not
    ///   have, or gives it another size.
    public init(contract: Contract, pose: Pose) throws {
        let values = contract.layout.host(
            contract.rayCamera(pose), encoder: contract.student.encoder)
        tensors = try contract.inputs.map { spec in
            guard let tensor = values[spec.name], tensor.count == spec.count else {
                throw BenchError.badConfig(
                    "input \(spec.name) of shape \(spec.shape) does not belong to the layout "
                        + "\(contract.layout.rawValue)")
            }
            return tensor.map { Float($0) }
        }
    }

    /// Compares with what mnelf computed for the same pose, so that a wrong picture on a device can
    /// only come from the model.
    ///
    /// - Throws: `BenchError.wrongUpload`.
    public func check(_ samples: [UploadSample], contract: Contract) throws {
        for sample in samples {
            guard let input = contract.inputs.firstIndex(where: { $0.name == sample.name }) else {
                throw BenchError.badConfig("upload \(sample.name) is not an input of the contract")
            }
            for (position, expected) in zip(sample.positions, sample.values) {
                let value = Double(tensors[input][position])
                guard abs(value - expected) <= Self.tolerance * max(1, abs(expected)) else {
                    throw BenchError.wrongUpload(
                        "\(sample.name)[\(position)] is \(value), expected \(expected)")
                }
            }
        }
    }
}
