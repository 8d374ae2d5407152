// The part of Core Graphics that the app uses, as Apple documents it; see LinuxStubs/README.md.

import Foundation

public typealias CFData = Data
public typealias CFURL = URL
public typealias CFString = String

public enum CGImageAlphaInfo: UInt32, Sendable {
    case none = 0
    case premultipliedLast = 1
    case premultipliedFirst = 2
    case last = 3
    case first = 4
    case noneSkipLast = 5
    case noneSkipFirst = 6
}

public struct CGBitmapInfo: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public static let byteOrder32Little = CGBitmapInfo(rawValue: 2 << 12)
}

public enum CGColorRenderingIntent: Int32, Sendable {
    case defaultIntent = 0
}

public final class CGColorSpace {
    public static let sRGB: CFString = "kCGColorSpaceSRGB"

    public init?(name: CFString) {}
}

public final class CGDataProvider {
    let data: Data

    public init?(data: CFData) {
        self.data = data
    }
}

public final class CGImage {
    public let width: Int
    public let height: Int
    public let bytesPerRow: Int
    public let alphaInfo: CGImageAlphaInfo
    /// Only of the stub.
    public let data: Data

    public init?(
        width: Int, height: Int, bitsPerComponent: Int, bitsPerPixel: Int, bytesPerRow: Int,
        space: CGColorSpace, bitmapInfo: CGBitmapInfo, provider: CGDataProvider,
        decode: UnsafePointer<CGFloat>?, shouldInterpolate: Bool, intent: CGColorRenderingIntent
    ) {
        guard provider.data.count >= bytesPerRow * (height - 1) + bitsPerPixel / 8 * width,
            let alpha = CGImageAlphaInfo(rawValue: bitmapInfo.rawValue & 0x1f)
        else { return nil }
        self.width = width
        self.height = height
        self.bytesPerRow = bytesPerRow
        alphaInfo = alpha
        data = provider.data
    }
}
