import CoreGraphics
import Foundation
import ImageIO

/// An image that nobody changes any more, so it may cross threads.
struct Picture: @unchecked Sendable {
    let image: CGImage

    init(_ image: CGImage) {
        self.image = image
    }

    /// Reads a picture file; nil if it is none.
    init?(file: URL) {
        guard let source = CGImageSourceCreateWithURL(file as CFURL, nil),
            let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
        else { return nil }
        self.image = image
    }
}
