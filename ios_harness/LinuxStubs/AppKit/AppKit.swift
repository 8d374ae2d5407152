// The part of AppKit that the app uses on a Mac, as Apple documents it; see LinuxStubs/README.md.

@_exported import Foundation

public final class CALayer {
    public var isOpaque = true
}

@MainActor
open class NSView: NSObject {
    public var layer: CALayer? { nil }

    public init(frame: CGRect = .zero) {}
}

@MainActor
public final class NSScreen: NSObject {
    public static var main: NSScreen? { nil }

    public var maximumFramesPerSecond: Int { 60 }
}
