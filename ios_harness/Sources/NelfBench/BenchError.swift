import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// What ends a benchmark, apart from `NelfError`; the text is for the person with the device.
public enum BenchError: LocalizedError, Equatable, Sendable {
    case badConfig(String)
    case wrongUpload(String)
    case tooHot(ThermalLevel)
    case probeFailed(String)

    public var errorDescription: String? {
        switch self {
        case .badConfig(let reason):
            return "bench.json: \(reason). Make the bundle again."
        case .wrongUpload(let reason):
            return "The app feeds the model other numbers than mnelf did: \(reason)."
        case .tooHot(let level):
            return "The device is too hot (\(level.rawValue)). Let it cool down and start again."
        case .probeFailed(let reason):
            return "The system gave no answer: \(reason)."
        }
    }
}
