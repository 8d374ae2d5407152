import Combine
import Foundation
import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// Loads a light field and shows a view of it; until then that it loads, or why it cannot.
///
/// ```swift
/// NelfLoader("mic") { nelf in
///     NelfView(model: nelf)
/// }
/// ```
///
/// A first frame is rendered before the view is shown, so that the picture is there at once. Another
/// name or place loads another model.
public struct NelfLoader<Content: View>: View {
    @StateObject private var loading = Loading()
    private let place: String
    private let load: @Sendable () async throws -> NelfModel
    private let content: (NelfModel) -> Content

    /// Loads a package that the app carries.
    ///
    /// - Parameters:
    ///   - name: Of the package, without `.mlpackage`.
    ///   - bundle: That carries it.
    ///   - computeUnits: Processors that Core ML may use.
    ///   - content: What is shown of it.
    public init(
        _ name: String, in bundle: Bundle = .main,
        computeUnits: ComputeUnits = .cpuAndNeuralEngine,
        @ViewBuilder content: @escaping (NelfModel) -> Content
    ) {
        place = name
        load = { try await NelfModel(named: name, in: bundle, computeUnits: computeUnits) }
        self.content = content
    }

    /// Loads a package from anywhere, such as one that the app has fetched.
    ///
    /// - Parameters:
    ///   - url: A `.mlpackage`, or a `.mlmodelc` that Xcode made of it.
    ///   - computeUnits: Processors that Core ML may use.
    ///   - content: What is shown of it.
    public init(
        contentsOf url: URL, computeUnits: ComputeUnits = .cpuAndNeuralEngine,
        @ViewBuilder content: @escaping (NelfModel) -> Content
    ) {
        place = url.absoluteString
        load = { try await NelfModel(contentsOf: url, computeUnits: computeUnits) }
        self.content = content
    }

    public var body: some View {
        Group {
            switch loading.state {
            case .running: ProgressView("Loads the model")
            case .ready(let model): content(model)
            case .failed(let reason): Text(reason).multilineTextAlignment(.center).padding()
            }
        }
        .task(id: place) { await loading.run(load) }
    }
}

/// How far the loading of a model is.
@MainActor
final class Loading: ObservableObject {
    enum State {
        case running
        case ready(NelfModel)
        case failed(String)
    }

    @Published private(set) var state = State.running

    /// Loads anew; leaves the state alone if the task is cancelled, for another one then has it.
    func run(_ load: @Sendable () async throws -> NelfModel) async {
        state = .running
        do {
            let model = try await load()
            try await model.prewarm()
            try Task.checkCancellation()
            state = .ready(model)
        } catch is CancellationError {
        } catch {
            if !Task.isCancelled {
                state = .failed(error.localizedDescription)
            }
        }
    }
}
