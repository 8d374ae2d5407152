// The part of MetalKit that the app uses, as Apple documents it; see LinuxStubs/README.md.

import Metal

#if canImport(UIKit)
import UIKit

public typealias MTKPlatformView = UIView
#else
import AppKit

public typealias MTKPlatformView = NSView
#endif

public protocol CAMetalDrawable: MTLDrawable {
    var texture: any MTLTexture { get }
}

@MainActor
public protocol MTKViewDelegate: AnyObject {
    func mtkView(_ view: MTKView, drawableSizeWillChange size: CGSize)
    func draw(in view: MTKView)
}

@MainActor
public final class MTKView: MTKPlatformView {
    public var device: (any MTLDevice)?
    public weak var delegate: (any MTKViewDelegate)?
    public var colorPixelFormat: MTLPixelFormat = .bgra8Unorm
    public var isPaused = false
    public var enableSetNeedsDisplay = true
    public var currentDrawable: (any CAMetalDrawable)? { nil }

    public func draw() { delegate?.draw(in: self) }
}
