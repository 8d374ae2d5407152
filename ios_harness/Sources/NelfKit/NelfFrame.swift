import CoreGraphics
import CoreML
import CoreVideo
import Foundation
import Metal

#if canImport(NelfCore)
import NelfCore
#endif

/// A rendered picture, as Core ML left it in memory; converted to what an app needs when it asks.
///
/// A student with alpha renders the object alone: `cgImage`, `pixelBuffer` and `texture` then have
/// premultiplied alpha and go over any background.
public struct NelfFrame: @unchecked Sendable {
    // Nobody writes to it any more.
    enum Pixels {
        /// [1, channels, height, width].
        case planes(MLMultiArray)
        /// BGRA.
        case picture(CVPixelBuffer)
    }

    let pixels: Pixels
    private let output: TensorSpec

    /// Of the picture, in pixels.
    public var width: Int { output.shape[3] }
    /// Of the picture, in pixels.
    public var height: Int { output.shape[2] }
    /// Whether there is a background to be seen.
    public var hasAlpha: Bool { output.shape[1] == 4 }

    init(_ value: MLFeatureValue?, _ contract: Contract) throws {
        output = contract.output
        switch contract.outputForm {
        case .tensor:
            guard let array = value?.multiArrayValue else {
                throw NelfError.badOutput("nothing named \(contract.output.name) was returned")
            }
            pixels = .planes(array)
        case .image:
            guard let buffer = value?.imageBufferValue else {
                throw NelfError.badOutput("no picture named \(contract.output.name) was returned")
            }
            pixels = .picture(buffer)
        }
    }

    /// Copies the numbers out, straight alpha.
    ///
    /// - Throws: `NelfError.badOutput` if they are not those of the contract.
    public func values() throws -> FrameOutput {
        switch pixels {
        case .planes(let array): return try copyTensor(array, output)
        case .picture(let buffer): return try copyPicture(buffer, shape: output.shape)
        }
    }

    /// An image for `Image(decorative:scale:)`, Core Graphics or a file.
    ///
    /// - Throws: `NelfError.badOutput` if the system does not make one of it.
    public func cgImage() throws -> CGImage { try makeImage(values()) }

    /// A BGRA picture in shared memory, for video, Core Image or Vision.
    ///
    /// - Throws: as `cgImage`.
    public func pixelBuffer() throws -> CVPixelBuffer {
        if case .picture(let buffer) = pixels { return buffer }
        return try makePicture(values())
    }

    /// A new BGRA texture on the system's device.
    ///
    /// - Throws: `NelfError.noResources` without Metal, or as `cgImage`.
    @MainActor
    public func texture() throws -> any MTLTexture {
        try FrameRenderer.shared.get().texture(self)
    }
}
