import CoreML
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
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
        throw BenchError.probeFailed("the model has no ML program to place")
    }
    return PlacementPlan(
        main.block.operations.map { operation in
            (operation.operatorName, processor(plan.deviceUsage(for: operation)?.preferred))
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
