import CoreML
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Compares a model's border with the contract, so that a mismatch has a name before Core ML fails
/// somewhere inside.
///
/// - Throws: `NelfError.badModel`.
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
            throw NelfError.badModel(
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
    guard let constraint, shape == spec.shape, constraint.dataType == spec.element.coreML else {
        throw NelfError.badModel(
            "\(role) \(spec.name) is \(text(shape)), expected \(spec.element.rawValue) of "
                + "\(spec.shape)")
    }
}

extension ElementType {
    /// The case of Core ML for the same numbers.
    var coreML: MLMultiArrayDataType { self == .float16 ? .float16 : .float32 }
}

private func text(_ sizes: [Int]?) -> String {
    sizes.map { "\($0)" } ?? "missing or of another kind"
}
