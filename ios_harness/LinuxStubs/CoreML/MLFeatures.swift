import CoreVideo
import Foundation

public enum MLFeatureType: Int, Sendable {
    case invalid = 0
    case image = 4
    case multiArray = 5
}

public final class MLFeatureValue {
    public let multiArrayValue: MLMultiArray?
    public let imageBufferValue: CVPixelBuffer?

    public init(multiArray: MLMultiArray) {
        multiArrayValue = multiArray
        imageBufferValue = nil
    }

    public init(pixelBuffer: CVPixelBuffer) {
        multiArrayValue = nil
        imageBufferValue = pixelBuffer
    }
}

public protocol MLFeatureProvider: AnyObject {
    var featureNames: Set<String> { get }

    func featureValue(for featureName: String) -> MLFeatureValue?
}

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
    private let values: [String: MLFeatureValue]

    public init(dictionary: [String: Any]) throws {
        values = dictionary.compactMapValues { $0 as? MLFeatureValue }
    }

    public var featureNames: Set<String> { Set(values.keys) }

    public func featureValue(for featureName: String) -> MLFeatureValue? { values[featureName] }
}

public final class MLMultiArrayConstraint {
    public let shape: [NSNumber]
    public let dataType: MLMultiArrayDataType

    init(shape: [NSNumber], dataType: MLMultiArrayDataType) {
        self.shape = shape
        self.dataType = dataType
    }
}

public final class MLImageConstraint {
    public let pixelsWide: Int
    public let pixelsHigh: Int

    init(pixelsWide: Int, pixelsHigh: Int) {
        self.pixelsWide = pixelsWide
        self.pixelsHigh = pixelsHigh
    }
}

public final class MLFeatureDescription {
    public let type: MLFeatureType
    public let multiArrayConstraint: MLMultiArrayConstraint?
    public let imageConstraint: MLImageConstraint?

    init(shape: [Int], isImage: Bool, dataType: MLMultiArrayDataType) {
        type = isImage ? .image : .multiArray
        multiArrayConstraint =
            isImage
            ? nil
            : MLMultiArrayConstraint(
                shape: shape.map { NSNumber(value: $0) }, dataType: dataType)
        imageConstraint =
            isImage ? MLImageConstraint(pixelsWide: shape[3], pixelsHigh: shape[2]) : nil
    }
}

public struct MLModelMetadataKey: Hashable, Sendable {
    let name: String

    public static let creatorDefinedKey = MLModelMetadataKey(name: "MLModelCreatorDefinedKey")
}

public final class MLModelDescription {
    public let metadata: [MLModelMetadataKey: Any]
    public let inputDescriptionsByName: [String: MLFeatureDescription]
    public let outputDescriptionsByName: [String: MLFeatureDescription]

    init(
        inputs: [String: MLFeatureDescription], outputs: [String: MLFeatureDescription],
        creatorDefined: [String: String]
    ) {
        metadata = [.creatorDefinedKey: creatorDefined]
        inputDescriptionsByName = inputs
        outputDescriptionsByName = outputs
    }
}
