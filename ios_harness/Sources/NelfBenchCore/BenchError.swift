import Foundation

/// What goes wrong on purpose; the text is for the person with the device.
public enum BenchError: LocalizedError, Equatable {
    case badConfig(String)
    case missingFile(String)
    case badModel(String)
    case wrongUpload(String)
    case badOutput(String)
    case tooHot(ThermalLevel)
    case probeFailed(String)

    public var errorDescription: String? {
        switch self {
        case .badConfig(let reason):
            return "bench.json: \(reason). Make the bundle again."
        case .missingFile(let name):
            return "\(name) is not in the app. Copy the whole .swiftpm folder again."
        case .badModel(let reason):
            return "The model does not fit bench.json: \(reason). Make the bundle again."
        case .wrongUpload(let reason):
            return "The app feeds the model other numbers than mnelf did: \(reason)."
        case .badOutput(let reason):
            return "The model's output cannot be read: \(reason)."
        case .tooHot(let level):
            return "The device is too hot (\(level.rawValue)). Let it cool down and start again."
        case .probeFailed(let reason):
            return "The system gave no answer: \(reason)."
        }
    }
}
