import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// Chooses a model and the processors that it may use.
struct ItemPicker: View {
    let models: [BenchModel]
    @Binding var item: BenchItem

    var body: some View {
        HStack {
            Picker("Model", selection: $item.model) {
                ForEach(models, id: \.package) { Text($0.stem).tag($0) }
            }
            Picker("Processors", selection: $item.units) {
                ForEach(ComputeUnits.allCases, id: \.self) { Text($0.title).tag($0) }
            }
        }
        .pickerStyle(.menu)
    }

}
