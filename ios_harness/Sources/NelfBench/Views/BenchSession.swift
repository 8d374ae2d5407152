import Combine
import Foundation

#if canImport(NelfCore)
import NelfCore
#endif
#if canImport(NelfKit)
import NelfKit
#endif

/// A benchmark from the tap on Start to the file to share.
@MainActor
final class BenchSession: ObservableObject {
    @Published private(set) var isRunning = false
    /// What happens now, or why it ended.
    @Published private(set) var status = ""
    @Published private(set) var progress = 0.0
    @Published private(set) var runs: [BenchRun] = []
    /// The file with all finished runs; written anew after each, so that an app that the system ends
    /// has shown what could be shared until then.
    @Published private(set) var file: URL?

    let content: BenchContent
    private var task: Task<Void, Never>?

    init(content: BenchContent) {
        self.content = content
    }

    /// Measures every model under every setting, unless the device is hot.
    func start(_ options: BenchOptions) {
        guard !isRunning else { return }
        let level = content.device.thermalLevel()
        guard ThermalGate.mayStart(level) else {
            status = BenchError.tooHot(level).localizedDescription
            return
        }
        isRunning = true
        runs = []
        file = nil
        progress = 0
        keepScreenOn(true)
        task = Task {
            status = await measureAll(options)
            keepScreenOn(false)
            isRunning = false
        }
    }

    func stop() {
        task?.cancel()
    }

    private func measureAll(_ options: BenchOptions) async -> String {
        let plan = benchPlan(content.config)
        let runner = BenchRunner(
            config: content.config, reference: content.reference, options: options,
            device: content.device)
        var report = BenchReport(
            device: describeDevice(), date: Date(), bundle: content.config.bundle, runs: [])
        do {
            for (index, item) in plan.enumerated() {
                let title =
                    "\(index + 1) of \(plan.count): \(item.model.stem), \(item.units.title), "
                    + "inputs by \(item.encoder.title)"
                let run = try await runner.run(item) { stage in
                    Task { @MainActor in self.show("\(title): \(stage)") }
                }
                report.runs.append(run)
                runs = report.runs
                file = try write(report)
                progress = Double(index + 1) / Double(plan.count)
            }
            return "Finished. Share the file and give it to `mnelf bench import`."
        } catch is CancellationError {
            return "Stopped after \(runs.count) of \(plan.count) runs."
        } catch {
            return "The file cannot be written: \(error.localizedDescription)"
        }
    }

    /// A message that comes late must not cover the final one.
    private func show(_ text: String) {
        if isRunning {
            status = text
        }
    }

    private func write(_ report: BenchReport) throws -> URL {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent(report.fileName)
        try report.json().write(to: url, options: .atomic)
        return url
    }

    private func describeDevice() -> DeviceDescription {
        DeviceDescription(
            model: probeDeviceModel(), os: systemDescription(),
            appVersion: content.config.mnelfVersion + Self.buildSuffix,
            lowPower: isLowPowerModeEnabled(), memory: ProcessInfo.processInfo.physicalMemory)
    }

    /// Code of the app itself is slower in a build without optimization, which the display rate shows.
    private static var buildSuffix: String { isDebugBuild() ? "-debug" : "" }
}
