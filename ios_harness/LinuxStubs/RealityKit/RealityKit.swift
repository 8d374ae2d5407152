// The part of RealityKit that the app uses, as Apple documents it; see LinuxStubs/README.md.

import ARKit
@_exported import ARKit
import Combine
import CoreGraphics
import Metal
import UIKit

@MainActor
open class Entity {
    public var isEnabled = true
    public var position = SIMD3<Float>(0, 0, 0)
    public var transform = Transform()

    public init() {}

    public func addChild(_ entity: Entity) {}
}

public struct Transform: Equatable, Sendable {
    public var translation = SIMD3<Float>(0, 0, 0)

    public init() {}

    public init(matrix: simd_float4x4) {}
}

@MainActor
public final class AnchorEntity: Entity {
    public init(world position: SIMD3<Float>) {
        super.init()
    }
}

public protocol Material {}

public enum MaterialParameters {
    @MainActor
    public struct Texture {
        public init(_ resource: TextureResource) {}
    }
}

public struct UnlitMaterial: Material {
    public typealias Texture = MaterialParameters.Texture

    public struct BaseColor {
        public init(tint: UIColor = .white, texture: Texture? = nil) {}
    }

    public struct Opacity: ExpressibleByFloatLiteral {
        public init(floatLiteral value: Float) {}
    }

    public enum Blending {
        case opaque
        case transparent(opacity: Opacity)
    }

    public var color = BaseColor()
    public var blending = Blending.opaque

    public init() {}
}

@MainActor
public final class MeshResource {
    public static func generatePlane(width: Float, depth: Float) -> MeshResource { MeshResource() }

    public static func generatePlane(width: Float, height: Float) -> MeshResource { MeshResource() }
}

@MainActor
public final class ModelEntity: Entity {
    public init(mesh: MeshResource, materials: [any Material]) {
        super.init()
    }
}

@MainActor
public final class TextureResource {
    public enum Semantic: Sendable {
        case color, raw
    }

    public struct CreateOptions: Sendable {
        public init(semantic: Semantic?) {}
    }

    @MainActor
    public final class DrawableQueue {
        public enum MipmapsMode: Sendable {
            case none, allocateAll
        }

        public struct Descriptor: Sendable {
            public init(
                pixelFormat: MTLPixelFormat, width: Int, height: Int, usage: MTLTextureUsage,
                mipmapsMode: MipmapsMode
            ) {}
        }

        @MainActor
        public final class Drawable {
            public let texture: any MTLTexture

            init(texture: any MTLTexture) {
                self.texture = texture
            }

            public func present() {}
        }

        public var allowsNextDrawableTimeout = true

        public init(_ descriptor: Descriptor) throws {}

        public func nextDrawable() throws -> Drawable { throw CancellationError() }
    }

    public static func generate(from image: CGImage, options: CreateOptions) throws -> TextureResource {
        TextureResource()
    }

    public func replace(withDrawables queue: DrawableQueue) {}
}

public enum SceneEvents {
    public struct Update {}
}

@MainActor
public final class Scene {
    public final class AnchorCollection {
        public func removeAll() {}
    }

    private struct Subscription: Cancellable {
        func cancel() {}
    }

    public let anchors = AnchorCollection()

    public func addAnchor(_ anchor: AnchorEntity) {}

    public func subscribe<E>(to event: E.Type, _ handler: @escaping (E) -> Void) -> any Cancellable {
        Subscription()
    }
}

@MainActor
public final class ARView: UIView {
    public let session = ARSession()
    public let scene = Scene()

    public var cameraTransform: Transform { Transform() }

    public func raycast(
        from point: CGPoint, allowing target: ARRaycastQuery.Target,
        alignment: ARRaycastQuery.TargetAlignment
    ) -> [ARRaycastResult] {
        []
    }
}
