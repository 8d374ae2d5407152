import SwiftUI

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// Chooses a model and the processors that it may use.
struct ItemPicker: View {
    let models: [BenchModel]
    @Binding var item: BenchItem

    var body: some View {
        HStack {
            Picker("Model", selection: model) {
                ForEach(models, id: \.package) { Text($0.stem).tag($0) }
            }
            Picker("Processors", selection: units) {
                ForEach(ComputeUnits.allCases, id: \.self) { Text($0.title).tag($0) }
            }
        }
        .pickerStyle(.menu)
    }

    private var model: Binding<BenchModel> {
        Binding(
            get: { item.model },
            set: { item = BenchItem(model: $0, units: item.units) })
    }

    private var units: Binding<ComputeUnits> {
        Binding(
            get: { item.units },
            set: { item = BenchItem(model: item.model, units: $0) })
    }
}
