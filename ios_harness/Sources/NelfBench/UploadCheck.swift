import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// Compares uploads with what mnelf computed for the same pose, so that a wrong picture on a device can
/// only come from the model. A number is rounded once, to the type that the model takes; anything above
/// that is a mistake. Relative above 1.
///
/// - Throws: `BenchError.wrongUpload`.
func check(_ uploads: Uploads, _ samples: [UploadSample], contract: Contract) throws {
    for sample in samples {
        guard let input = contract.inputs.firstIndex(where: { $0.name == sample.name }) else {
            throw BenchError.badConfig("upload \(sample.name) is not an input of the contract")
        }
        let tolerance = contract.inputs[input].element == .float16 ? 5e-4 : 1e-5
        for (position, expected) in zip(sample.positions, sample.values) {
            let value = Double(uploads.tensors[input][position])
            guard abs(value - expected) <= tolerance * max(1, abs(expected)) else {
                throw BenchError.wrongUpload(
                    "\(sample.name)[\(position)] is \(value), expected \(expected)")
            }
        }
    }
}
