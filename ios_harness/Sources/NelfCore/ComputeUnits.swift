/// Which processors Core ML may use; spelled like the cases of `MLComputeUnits`.
public enum ComputeUnits: String, Codable, Sendable, CaseIterable {
    case cpuAndNeuralEngine, all, cpuAndGPU, cpuOnly

    /// For people.
    public var title: String {
        switch self {
        case .cpuAndNeuralEngine: return "CPU and Neural Engine"
        case .all: return "All"
        case .cpuAndGPU: return "CPU and GPU"
        case .cpuOnly: return "CPU only"
        }
    }
}
