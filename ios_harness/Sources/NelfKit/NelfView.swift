import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// A light field to turn with a finger: drag to orbit, pinch to come closer; left alone it turns by
/// itself. What a student with alpha leaves free shows what lies behind the view.
///
/// ```swift
/// NelfView(model: nelf)
/// ```
public struct NelfView: View {
    @StateObject private var player: NelfPlayer
    private let aspect: Double

    /// - Parameters:
    ///   - model: What is shown.
    ///   - turnsWhenIdle: Whether it turns by itself when it is left alone.
    public init(model: NelfModel, turnsWhenIdle: Bool = true) {
        let shape = model.contract.output.shape
        aspect = Double(shape[3]) / Double(shape[2])
        _player = StateObject(
            wrappedValue: NelfPlayer(model: model, turnsWhenIdle: turnsWhenIdle))
    }

    /// Shows frames of a player of the app's own.
    public init(player: NelfPlayer) {
        let shape = player.model.contract.output.shape
        aspect = Double(shape[3]) / Double(shape[2])
        _player = StateObject(wrappedValue: player)
    }

    public var body: some View {
        GeometryReader { geometry in
            FrameScreenView(player.screen)
                .aspectRatio(CGFloat(aspect), contentMode: .fit)
                .scaleEffect(CGFloat(player.zoom))
                .frame(width: geometry.size.width, height: geometry.size.height)
                .clipped()
                .contentShape(Rectangle())
                .gesture(orbit(size: min(geometry.size.width, geometry.size.height)))
        }
        .overlay { Text(player.message).multilineTextAlignment(.center) }
        .accessibilityLabel(Text("Light field, drag to turn"))
        .onAppear { player.start() }
        .onDisappear { player.stop() }
    }

    private func orbit(size: Double) -> some Gesture {
        let drag = DragGesture(minimumDistance: 0)
            .onChanged { value in
                player.drag(
                    dx: value.translation.width, dy: value.translation.height, size: size)
            }
            .onEnded { _ in player.endDrag() }
        let pinch = MagnifyGesture()
            .onChanged { player.pinch(scale: $0.magnification) }
            .onEnded { _ in player.endPinch() }
        return drag.simultaneously(with: pinch)
    }
}
