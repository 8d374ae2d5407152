#if canImport(ARKit) && !os(visionOS) && !os(macOS)
import ARKit
import Combine
import CoreGraphics
import Foundation
import RealityKit
import SwiftUI

#if canImport(NelfCore)
import NelfCore
#endif

/// A light field in the room: tap a level surface and the object stands there, seen from wherever the
/// viewer walks.
///
/// The student must have alpha, or it stands in a square of its background. The app needs
/// `NSCameraUsageDescription`. See `ObjectPlacement` for how distance is treated.
public struct NelfARView: View {
    @StateObject private var room: ObjectInRoom

    /// - Parameters:
    ///   - model: What stands in the room.
    ///   - sizeCm: Height of the object in centimetres; if nil what `mnelf bundle --size-cm` was
    ///     given, the true one where photos showed the printed board, or the size that they show from
    ///     a metre.
    public init(model: NelfModel, sizeCm: Double? = nil) {
        _room = StateObject(wrappedValue: ObjectInRoom(model: model, sizeCm: sizeCm))
    }

    public var body: some View {
        RoomView(room: room)
            .onTapGesture { point in room.place(at: point) }
            .overlay(alignment: .bottom) { Text(room.message).padding() }
            .ignoresSafeArea()
            .onAppear { room.start() }
            .onDisappear { room.stop() }
    }
}

private struct RoomView: UIViewRepresentable {
    let room: ObjectInRoom

    func makeUIView(context: Context) -> ARView { room.attach() }

    func updateUIView(_ view: ARView, context: Context) {}
}

/// The rectangle with the picture, its shadow, and the loop that keeps both up to date.
@MainActor
final class ObjectInRoom: NSObject, ObservableObject, ARSessionDelegate {
    @Published private(set) var message = ObjectInRoom.hint

    private static let hint = "Tap a table or the floor"

    private let model: NelfModel
    private var placement: ObjectPlacement
    private weak var view: ARView?
    private var updates: (any Cancellable)?
    private var picture: ModelEntity?
    private var queue: TextureResource.DrawableQueue?
    private var inFlight = 0
    private var number = 0
    private var shown = 0

    init(model: NelfModel, sizeCm: Double?) {
        self.model = model
        placement = ObjectPlacement(
            contract: model.contract, room: model.room, sizeCm: sizeCm)
    }

    func attach() -> ARView {
        stop()
        // What stood in another view is gone with it.
        picture = nil
        queue = nil
        message = Self.hint
        let view = ARView(frame: .zero)
        view.session.delegate = self
        self.view = view
        start()
        return view
    }

    /// Follows the viewer from now on; a view that was away continues where it was.
    func start() {
        guard updates == nil, let view else { return }
        guard ARWorldTrackingConfiguration.isSupported else {
            message = "This device cannot tell where it is in a room"
            return
        }
        let configuration = ARWorldTrackingConfiguration()
        configuration.planeDetection = [.horizontal]
        view.session.run(configuration)
        updates = view.scene.subscribe(to: SceneEvents.Update.self) { [weak self] _ in
            MainActor.assumeIsolated { self?.update() }
        }
    }

    func stop() {
        updates?.cancel()
        updates = nil
        view?.session.pause()
    }

    /// See `ARSessionDelegate`; nobody allowed the camera, for one.
    nonisolated func session(_ session: ARSession, didFailWithError error: any Error) {
        let reason = error.localizedDescription
        Task { @MainActor in message = reason }
    }

    /// Stands the object where the ray through a point of the screen meets a level surface.
    func place(at point: CGPoint) {
        guard let view,
            let hit = view.raycast(
                from: point, allowing: .estimatedPlane, alignment: .horizontal
            ).first
        else {
            message = "No surface is known there yet; move the device a little"
            return
        }
        let floor = vector(hit.worldTransform.columns.3)
        placement.stand(on: floor, viewer: vector(view.cameraTransform.translation))
        do {
            try show(in: view, floor: floor)
            message = ""
        } catch {
            message = error.localizedDescription
        }
    }

    private func show(in view: ARView, floor: Vector3) throws {
        view.scene.anchors.removeAll()
        let anchor = AnchorEntity(world: SIMD3<Float>(0, 0, 0))
        let shape = model.contract.output.shape
        let queue = try TextureResource.DrawableQueue(
            .init(
                pixelFormat: FrameRenderer.pixelFormat, width: shape[3], height: shape[2],
                usage: [.renderTarget, .shaderRead], mipmapsMode: .none))
        queue.allowsNextDrawableTimeout = true
        let texture = try TextureResource.generate(
            from: spot(side: 4, darkness: 0), options: .init(semantic: .color))
        texture.replace(withDrawables: queue)
        let quad = ModelEntity(
            mesh: .generatePlane(width: 1, height: 1), materials: [transparent(texture)])
        // Shown with the first picture.
        quad.isEnabled = false
        anchor.addChild(quad)
        let shadow = try TextureResource.generate(
            from: spot(side: 64, darkness: 0.45), options: .init(semantic: .color))
        let side = Float(2.4 * placement.ballRadius * placement.metersPerUnit)
        let ground = ModelEntity(
            mesh: .generatePlane(width: side, depth: side), materials: [transparent(shadow)])
        // A millimetre above the surface, which would flicker through it.
        ground.position = SIMD3<Float>(Float(floor.x), Float(floor.y) + 0.001, Float(floor.z))
        anchor.addChild(ground)
        view.scene.addAnchor(anchor)
        self.queue = queue
        picture = quad
    }

    private func transparent(_ texture: TextureResource) -> UnlitMaterial {
        var material = UnlitMaterial()
        // Below 1, or the alpha of the texture is not looked at.
        material.color = .init(tint: .white.withAlphaComponent(0.999), texture: .init(texture))
        material.blending = .transparent(opacity: 1.0)
        return material
    }

    private func update() {
        guard picture != nil, let view, inFlight < NelfModel.framesInFlight,
            let seen = placement.view(from: vector(view.cameraTransform.translation))
        else { return }
        number += 1
        inFlight += 1
        let turn = number
        Task { await render(turn, seen) }
    }

    private func render(_ turn: Int, _ seen: ObjectView) async {
        do {
            let limits = model.contract.orbit
            let frame = try await model.render(.camera(limits.pose(seen.orbit)))
            if turn > shown, let queue, let picture {
                shown = turn
                let drawable = try queue.nextDrawable()
                try FrameRenderer.shared.get().draw(frame, to: drawable.texture)
                drawable.present()
                picture.transform = Transform(matrix: matrix(seen))
                picture.isEnabled = true
                if !message.isEmpty { message = "" }
            }
        } catch is CancellationError {
        } catch {
            message = error.localizedDescription
        }
        inFlight -= 1
    }
}

private func vector(_ point: SIMD3<Float>) -> Vector3 {
    Vector3(Double(point.x), Double(point.y), Double(point.z))
}

private func vector(_ column: SIMD4<Float>) -> Vector3 {
    Vector3(Double(column.x), Double(column.y), Double(column.z))
}

/// Of a unit square in its own frame: x along columns, y up, z towards the viewer.
private func matrix(_ seen: ObjectView) -> simd_float4x4 {
    func column(_ vector: Vector3, _ factor: Double, _ last: Float) -> SIMD4<Float> {
        SIMD4<Float>(
            Float(vector.x * factor), Float(vector.y * factor), Float(vector.z * factor), last)
    }
    return simd_float4x4(
        column(seen.right, seen.width, 0), column(seen.up, seen.height, 0),
        column(seen.normal, 1, 0), column(seen.center, 1, 1))
}

/// A round black spot whose alpha falls softly from `darkness` in its middle to nothing.
private func spot(side: Int, darkness: Double) throws -> CGImage {
    var pixels = [UInt8](repeating: 0, count: 4 * side * side)
    for row in 0..<side {
        for column in 0..<side {
            let x = 2 * (Double(column) + 0.5) / Double(side) - 1
            let y = 2 * (Double(row) + 0.5) / Double(side) - 1
            let inside = max(0, 1 - (x * x + y * y))
            pixels[4 * (row * side + column) + 3] = UInt8(255 * darkness * inside * inside)
        }
    }
    guard let provider = CGDataProvider(data: Data(pixels) as CFData),
        let space = CGColorSpace(name: CGColorSpace.sRGB),
        let image = CGImage(
            width: side, height: side, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: 4 * side,
            space: space,
            bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.premultipliedLast.rawValue),
            provider: provider, decode: nil, shouldInterpolate: true, intent: .defaultIntent)
    else { throw NelfError.noResources("no picture for a shadow") }
    return image
}
#endif
