import Combine
import Foundation

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif
#if canImport(NelfBenchCoreML)
import NelfBenchCoreML
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
            let predictor = try await content.device.load(item.model, units: item.units)
            for index in content.config.reference.frames.indices {
                comparisons.append(try await Self.compare(index, predictor, content))
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
        _ index: Int, _ predictor: any FramePredictor, _ content: BenchContent
    ) async throws -> Comparison {
        let settings = content.config.reference.frames[index]
        let uploads = try Uploads(contract: content.config.contract, pose: settings.camToWorld)
        _ = try await predictor.predict(uploads)
        let frame = try await predictor.output()
        let reference = content.reference
        return Comparison(
            id: index,
            reference: content.resources.find(settings.file).flatMap { Picture(file: $0) },
            picture: try Picture(frame),
            decibels: psnr(
                frame.values(at: reference.positions), reference: reference.values(frame: index)))
    }
}
