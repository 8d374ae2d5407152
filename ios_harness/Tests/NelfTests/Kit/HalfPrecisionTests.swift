import CoreGraphics
import CoreML
import CoreVideo
import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

/// Borders in fp16, in memory that is shared with the Neural Engine and Metal.
final class HalfPrecisionTests: XCTestCase {
    private func wide(_ width: Int, _ channels: Int = 3) -> TensorSpec {
        TensorSpec(name: "output", shape: [1, channels, 2, width], element: .float16)
    }

    func testRowsOfSharedMemoryAreFilledAndReadWithTheirPadding() throws {
        let spec = wide(40)
        let array = try makeArray(spec)
        XCTAssertNotNil(array.pixelBuffer)
        XCTAssertGreaterThan(array.strides[2].intValue, 40)
        let values = (0..<spec.count).map { Double($0) / 256 }
        write(TensorValues(values, as: .float16), into: array, element: .float16)
        let read = try copyTensor(array, spec)
        XCTAssertEqual(read.storage, .planarFloat16)
        for channel in 0..<3 {
            for pixel in 0..<80 {
                XCTAssertEqual(
                    read.values(at: [pixel])[channel], Float(values[channel * 80 + pixel]))
            }
        }
    }

    func testTensorsWithShortRowsLieInPlainMemory() throws {
        let array = try makeArray(
            TensorSpec(name: "sin_rows", shape: [1, 144, 100, 1], element: .float16))
        XCTAssertNil(array.pixelBuffer)
        XCTAssertEqual(array.dataType, .float16)
    }

    /// A frame's memory is another frame's as soon as nobody holds it, and not before.
    func testMemoryOfFramesIsUsedAgain() throws {
        for image in [false, true] {
            let outputs = FrameOutputs(try wideContract(image: image))
            func memory() throws -> AnyObject {
                let value = try XCTUnwrap(outputs.next()["output"] as AnyObject?)
                return (value as? MLMultiArray)?.pixelBuffer ?? value
            }
            for _ in 0..<10 { _ = try memory() }
            XCTAssertEqual(outputs.pool?.made, 1)
            let (first, second) = (try memory(), try memory())
            XCTAssertFalse(first === second)
            XCTAssertEqual(outputs.pool?.made, 2)
            withExtendedLifetime((first, second)) {}
        }
    }

    func testFramesThatNoPixelBufferHoldsLieInPlainMemory() throws {
        let stub = try StubResources()
        defer { stub.remove() }
        let outputs = FrameOutputs(stub.config.contract)
        XCTAssertNil(outputs.pool)
        XCTAssertNotNil(try outputs.next()["output"] as? MLMultiArray)
    }

    /// Of a student whose rows are long enough for shared memory.
    private func wideContract(image: Bool) throws -> Contract {
        let stub = try StubResources()
        defer { stub.remove() }
        var fields = try XCTUnwrap(
            JSONSerialization.jsonObject(with: JSONEncoder().encode(stub.config.contract))
                as? [String: Any])
        fields["output"] = ["name": "output", "shape": [1, 3, 2, 40], "dtype": "fp16"]
        fields["output_form"] = image ? "image" : "tensor"
        return try Contract(json: JSONSerialization.data(withJSONObject: fields))
    }

    func testAlphaIsPremultipliedInPictures() throws {
        // Red at half transparency, green opaque, blue gone.
        let planes: [Double] = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0.5, 1, 0]
        let frame = try FrameOutput(
            storage: .planarFloat16, width: 3, height: 1, channels: 4,
            bytes: planes.map(halfBits).withUnsafeBytes { Data($0) })
        let image = try makeImage(frame)
        XCTAssertEqual(image.alphaInfo, .premultipliedFirst)
        XCTAssertEqual([UInt8](image.data), [0, 0, 128, 128, 0, 255, 0, 255, 0, 0, 0, 0])
        let buffer = try makePicture(frame)
        let first = buffer.memory.load(as: UInt32.self).littleEndian
        XCTAssertEqual(first, 0x8080_0000)
    }

    func testAPictureWithoutAlphaIsOpaque() throws {
        let frame = try FrameOutput(
            storage: .planarFloat32, width: 1, height: 1, channels: 3,
            bytes: [Float(1), 0, 0.5].withUnsafeBytes { Data($0) })
        let image = try makeImage(frame)
        XCTAssertEqual(image.alphaInfo, .noneSkipFirst)
        XCTAssertEqual([UInt8](image.data), [128, 0, 255, 255])
    }
}
