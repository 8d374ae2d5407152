import Metal
import MetalKit
import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// The place on the screen where frames are shown.
@MainActor
public final class FrameScreen: NSObject, MTKViewDelegate {
    private weak var view: MTKView?
    private var frame: NelfFrame?
    /// What went wrong when the last frame was drawn.
    private(set) var error: (any Error)?

    /// Makes a place that is on no screen yet.
    public override init() {}

    /// Whether a frame that is shown now can be seen.
    public var isVisible: Bool { view != nil }

    /// Draws a frame; it is on the display at its next refresh.
    ///
    /// - Throws: `NelfError.noResources` if Metal does not draw it.
    public func show(_ frame: NelfFrame) throws {
        self.frame = frame
        error = nil
        view?.draw()
        if let error { throw error }
    }

    func attach() -> MTKView {
        let view = MTKView()
        view.device = try? FrameRenderer.shared.get().device
        view.delegate = self
        view.colorPixelFormat = FrameRenderer.pixelFormat
        // A frame is drawn when there is one, at the time of its own.
        view.isPaused = true
        view.enableSetNeedsDisplay = false
        #if canImport(UIKit)
        view.isOpaque = false
        view.backgroundColor = .clear
        #else
        view.layer?.isOpaque = false
        #endif
        self.view = view
        return view
    }

    /// See `MTKViewDelegate`: the last frame is drawn again.
    public func mtkView(_ view: MTKView, drawableSizeWillChange size: CGSize) {}

    /// See `MTKViewDelegate`.
    public func draw(in view: MTKView) {
        guard let frame, let drawable = view.currentDrawable else { return }
        do {
            try FrameRenderer.shared.get().draw(frame, to: drawable.texture) { buffer in
                buffer.present(drawable)
            }
        } catch {
            self.error = error
        }
    }
}

#if canImport(UIKit)
/// A `FrameScreen` as a view of SwiftUI.
public struct FrameScreenView: UIViewRepresentable {
    private let screen: FrameScreen

    /// Shows what is drawn to a screen.
    public init(_ screen: FrameScreen) {
        self.screen = screen
    }

    public func makeUIView(context: Context) -> MTKView { screen.attach() }

    public func updateUIView(_ view: MTKView, context: Context) {}
}
#else
/// A `FrameScreen` as a view of SwiftUI.
public struct FrameScreenView: NSViewRepresentable {
    private let screen: FrameScreen

    /// Shows what is drawn to a screen.
    public init(_ screen: FrameScreen) {
        self.screen = screen
    }

    public func makeNSView(context: Context) -> MTKView { screen.attach() }

    public func updateNSView(_ view: MTKView, context: Context) {}
}
#endif
