import Combine
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// Renders the reference poses on this device and compares each with the shipped frame.
@MainActor
final class SelfCheckModel: ObservableObject {
    struct Comparison: Identifiable, Sendable {
        let id: Int
        let reference: Picture?
        let picture: Picture
        let decibels: Double
    }

    @Published var item: BenchItem
    @Published private(set) var comparisons: [Comparison] = []
    @Published private(set) var isRunning = false
    @Published private(set) var message = ""

    private let content: BenchContent

    init(content: BenchContent) {
        self.content = content
        item = content.firstItem
    }

    func run() async {
        isRunning = true
        defer { isRunning = false }
        comparisons = []
        message = ""
        do {
            let model = try await content.device.model(item)
            for index in content.config.reference.frames.indices {
                comparisons.append(try await Self.compare(index, model, content))
            }
            let check = SelfCheck(
                psnr: comparisons.map(\.decibels), required: item.model.minPSNR)
            message =
                "Worst frame \(figure(check.worst, digits: 1)) dB, demanded "
                + "\(figure(item.model.minPSNR, digits: 1)): \(check.passed ? "passed" : "failed")"
        } catch {
            message = error.localizedDescription
        }
    }

    private nonisolated static func compare(
        _ index: Int, _ model: NelfModel, _ content: BenchContent
    ) async throws -> Comparison {
        let settings = content.config.reference.frames[index]
        let frame = try await model.render(.camera(settings.camToWorld))
        let reference = content.reference
        return Comparison(
            id: index,
            reference: content.resources.find(settings.file).flatMap { Picture(file: $0) },
            picture: Picture(try frame.cgImage()),
            decibels: psnr(
                try frame.values().values(at: reference.positions),
                reference: reference.values(frame: index)))
    }
}
