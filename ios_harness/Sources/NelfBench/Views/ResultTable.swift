import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// One row a run; a dash where nothing was measured.
struct ResultTable: View {
    let runs: [BenchRun]

    private static let titles = [
        "Model", "Processors", "Inputs by", "inputs ms", "p50 ms", "p90 ms", "p99 ms", "1000/p50",
        "on screen FPS", "of Hz", "sustained FPS", "peak MB", "heat", "worst dB", "picture",
    ]

    var body: some View {
        ScrollView([.horizontal, .vertical]) {
            Grid(alignment: .leading, horizontalSpacing: 16, verticalSpacing: 8) {
                GridRow {
                    ForEach(Self.titles, id: \.self) { Text($0).bold() }
                }
                ForEach(Array(runs.enumerated()), id: \.offset) { row($0.element) }
            }
            .monospacedDigit()
        }
    }

    @ViewBuilder
    private func row(_ run: BenchRun) -> some View {
        GridRow {
            ForEach(Array(cells(run).enumerated()), id: \.offset) { Text($0.element) }
        }
        if let error = run.error {
            Text(error)
                .foregroundStyle(.red)
        }
    }

    private func cells(_ run: BenchRun) -> [String] {
        var heat = "–"
        if let thermal = run.thermal {
            heat = "\(thermal.start.rawValue)–\(thermal.end.rawValue)"
        }
        var picture = "–"
        if let check = run.selfCheck {
            picture = check.passed ? "passed" : "failed"
        }
        return [
            run.model, run.computeUnits.title, run.encoder.title, figure(run.inputsMs, digits: 2),
            figure(run.latency?.p50, digits: 2),
            figure(run.latency?.p90, digits: 2), figure(run.latency?.p99, digits: 2),
            figure(run.latency.map { 1000 / $0.p50 }, digits: 1), figure(run.displayFps, digits: 1),
            figure(run.displayHz, digits: 0), figure(run.sustained.last?.fps, digits: 1),
            megabytes(run.memory?.peak), heat, figure(run.selfCheck?.worst, digits: 1), picture,
        ]
    }
}
