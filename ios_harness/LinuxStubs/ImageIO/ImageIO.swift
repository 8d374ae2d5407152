// The part of Image I/O that the app uses, as Apple documents it; see LinuxStubs/README.md.

import CoreGraphics
import Foundation

public final class CGImageSource {}

public func CGImageSourceCreateWithURL(_ url: CFURL, _ options: [String: Any]?) -> CGImageSource? {
    nil
}

public func CGImageSourceCreateImageAtIndex(
    _ source: CGImageSource, _ index: Int, _ options: [String: Any]?
) -> CGImage? {
    nil
}
