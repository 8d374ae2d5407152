import Foundation

/// What goes wrong while a light field is loaded or rendered; the text is for people.
public enum NelfError: LocalizedError, Equatable, Sendable {
    /// A file or package is not where the app looks for it.
    case missingFile(String)
    /// The package carries no contract, or one that this version does not read.
    case badContract(String)
    /// Inputs or output of the model are not those of its contract.
    case badModel(String)
    /// The model returned something that cannot be shown.
    case badOutput(String)
    /// The system has no memory or no Metal device for it.
    case noResources(String)
    /// Metal was asked for the model's inputs and cannot compute them.
    case noEncoder(String)

    /// One or two sentences: what was found, and what to do.
    public var errorDescription: String? {
        switch self {
        case .missingFile(let name):
            return "\(name) is not in the app. Add it, or copy the whole .swiftpm folder again."
        case .badContract(let reason):
            return "The package has no contract of mnelf: \(reason). Make the bundle again."
        case .badModel(let reason):
            return "The model does not fit its contract: \(reason). Make the bundle again."
        case .badOutput(let reason):
            return "The model's output cannot be read: \(reason)."
        case .noResources(let reason):
            return "The device refused: \(reason)."
        case .noEncoder(let reason):
            return "Metal cannot compute the inputs: \(reason). Use the CPU."
        }
    }
}
