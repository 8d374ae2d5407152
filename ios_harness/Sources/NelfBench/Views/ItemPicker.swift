import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// Chooses a model, the processors that it may use, and what computes its inputs where two can.
struct ItemPicker: View {
    let config: BenchConfig
    @Binding var item: BenchItem

    private var encoders: [InputEncoder] {
        InputEncoder.available(for: config.contract(of: item.model))
    }

    var body: some View {
        HStack {
            Picker("Model", selection: $item.model) {
                ForEach(config.models, id: \.package) { Text($0.stem).tag($0) }
            }
            Picker("Processors", selection: $item.units) {
                ForEach(ComputeUnits.allCases, id: \.self) { Text($0.title).tag($0) }
            }
            if encoders.count > 1 {
                Picker("Inputs by", selection: $item.encoder) {
                    ForEach(encoders, id: \.self) { Text("Inputs by \($0.title)").tag($0) }
                }
            }
        }
        .pickerStyle(.menu)
        .onChange(of: item.model) { _, _ in item.encoder = encoders[0] }
    }

}
