import CoreML
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// Compares a model's border with the contract, so that a mismatch has a name before Core ML fails
/// somewhere inside.
///
/// - Throws: `BenchError.badModel`.
func checkModel(_ description: MLModelDescription, _ contract: Contract) throws {
    for spec in contract.inputs {
        try checkTensor("input", spec, description.inputDescriptionsByName[spec.name])
    }
    let output = description.outputDescriptionsByName[contract.output.name]
    switch contract.outputForm {
    case .tensor:
        try checkTensor("output", contract.output, output)
    case .image:
        let size = output?.imageConstraint.map { [$0.pixelsHigh, $0.pixelsWide] }
        guard size == Array(contract.output.shape[2...]) else {
            throw BenchError.badModel(
                "output \(contract.output.name) is \(text(size)), expected a picture of "
                    + "\(contract.output.shape[2...])")
        }
    }
}

private func checkTensor(
    _ role: String, _ spec: TensorSpec, _ description: MLFeatureDescription?
) throws {
    let constraint = description?.multiArrayConstraint
    let shape = constraint.map { $0.shape.map(\.intValue) }
    guard let constraint, shape == spec.shape, constraint.dataType == .float32 else {
        throw BenchError.badModel(
            "\(role) \(spec.name) is \(text(shape)), expected float32 of \(spec.shape)")
    }
}

private func text(_ sizes: [Int]?) -> String {
    sizes.map { "\($0)" } ?? "missing or of another kind"
}
