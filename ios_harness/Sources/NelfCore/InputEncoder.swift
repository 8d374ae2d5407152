/// What computes a model's inputs for each frame.
public enum InputEncoder: String, Codable, Sendable, CaseIterable {
    /// The processor, in double precision.
    case cpu
    /// A kernel of Metal that writes fp16 where the model reads it.
    case metal

    /// For people.
    public var title: String { self == .cpu ? "CPU" : "Metal" }

    /// Those that can compute the inputs of a contract, first the one that is used unless another is
    /// asked for. Nothing of this was measured on a device: layout `embedded` has fifty times the
    /// numbers of `factored`, which takes the processor longer than the network may take.
    public static func available(for contract: Contract) -> [InputEncoder] {
        let isHalf = contract.inputs.allSatisfy { $0.element == .float16 }
        return contract.layout == .embedded && isHalf ? [.metal, .cpu] : [.cpu]
    }
}
