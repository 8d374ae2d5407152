import SwiftUI

#if canImport(NelfBenchCore)
import NelfBenchCore
#endif

/// The light field: drag to orbit, pinch to come closer.
struct LiveView: View {
    private let models: [BenchModel]
    @StateObject private var live: LiveModel

    init(content: BenchContent) {
        models = content.config.models
        _live = StateObject(wrappedValue: LiveModel(content: content))
    }

    var body: some View {
        VStack {
            ItemPicker(models: models, item: $live.item)
            GeometryReader { geometry in
                screen
                    .frame(width: geometry.size.width, height: geometry.size.height)
                    .contentShape(Rectangle())
                    .gesture(orbit(size: min(geometry.size.width, geometry.size.height)))
            }
            Text(rate)
                .monospacedDigit()
        }
        .padding()
        .task(id: live.item) { await live.load() }
        .onDisappear { live.unload() }
    }

    private var rate: String {
        guard let rate = live.framesPerSecond else { return " " }
        return "\(figure(rate, digits: 1)) pictures a second"
    }

    @ViewBuilder private var screen: some View {
        if !live.message.isEmpty {
            Text(live.message)
                .multilineTextAlignment(.center)
        } else if let picture = live.picture {
            Image(decorative: picture.image, scale: 1)
                .resizable()
                .scaledToFit()
        } else {
            ProgressView()
        }
    }

    private func orbit(size: Double) -> some Gesture {
        let drag = DragGesture(minimumDistance: 0)
            .onChanged { value in
                live.drag(
                    dx: value.translation.width, dy: value.translation.height, size: size)
            }
            .onEnded { _ in live.release() }
        let pinch = MagnifyGesture()
            .onChanged { live.pinch(scale: $0.magnification) }
            .onEnded { _ in live.release() }
        return drag.simultaneously(with: pinch)
    }
}
