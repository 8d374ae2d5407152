// The part of ARKit and of simd that the app uses, as Apple documents it; see LinuxStubs/README.md.

import Foundation

public struct simd_float4x4: Sendable {
    public var columns: (SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>)

    public init(
        _ col0: SIMD4<Float>, _ col1: SIMD4<Float>, _ col2: SIMD4<Float>, _ col3: SIMD4<Float>
    ) {
        columns = (col0, col1, col2, col3)
    }
}

open class ARConfiguration {
    public init() {}
}

public final class ARWorldTrackingConfiguration: ARConfiguration {
    public class var isSupported: Bool { true }

    public struct PlaneDetection: OptionSet, Sendable {
        public let rawValue: UInt

        public init(rawValue: UInt) {
            self.rawValue = rawValue
        }

        public static let horizontal = PlaneDetection(rawValue: 1)
    }

    public var planeDetection: PlaneDetection = []
}

public protocol ARSessionDelegate: NSObjectProtocol {
    func session(_ session: ARSession, didFailWithError error: any Error)
}

public final class ARSession {
    public weak var delegate: (any ARSessionDelegate)?

    public init() {}

    public func run(_ configuration: ARConfiguration) {}

    public func pause() {}
}

public final class ARRaycastQuery {
    public enum Target: Sendable {
        case existingPlaneGeometry, estimatedPlane
    }

    public enum TargetAlignment: Sendable {
        case any, horizontal, vertical
    }
}

public final class ARRaycastResult {
    public let worldTransform: simd_float4x4

    init(worldTransform: simd_float4x4) {
        self.worldTransform = worldTransform
    }
}
