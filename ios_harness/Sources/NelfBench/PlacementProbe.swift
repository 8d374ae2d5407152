import CoreML
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Asks Core ML where it would run the operations of a compiled model; nil before iOS 17.4.
///
/// - Throws: `BenchError.probeFailed` if the model is not an ML program, or what Core ML throws.
func probePlacement(compiled url: URL, units: ComputeUnits) async throws -> PlacementPlan? {
    guard #available(iOS 17.4, macOS 14.4, *) else { return nil }
    let configuration = MLModelConfiguration()
    configuration.computeUnits = units.coreML
    let plan = try await MLComputePlan.load(contentsOf: url, configuration: configuration)
    guard case .program(let program) = plan.modelStructure, let main = program.functions["main"]
    else {
        throw BenchError.probeFailed("the model is not an ML program")
    }
    return PlacementPlan(
        main.block.operations.map { operation in
            let usage = plan.deviceUsage(for: operation)
            return PlacedOperation(
                operation.operatorName, processor(usage?.preferred),
                cost: plan.estimatedCost(of: operation)?.weight,
                onNeuralEngine: usage?.supported.contains { processor($0) == .neuralEngine }
                    ?? false)
        })
}

@available(iOS 17.4, macOS 14.4, *)
private func processor(_ device: MLComputeDevice?) -> Processor {
    guard let device else { return .unknown }
    if case .neuralEngine = device { return .neuralEngine }
    if case .gpu = device { return .gpu }
    if case .cpu = device { return .cpu }
    return .unknown
}
