import Foundation

/// The rays of a camera as an affine map of the pixel, world frame: column u, row v has direction
/// d0 + u·du + v·dv, unnormalised, with z = −1 in the camera frame.
public struct RayMap: Equatable, Sendable {
    /// Where all rays start.
    public let origin: Vector3
    /// Direction at the first pixel.
    public let d0: Vector3
    /// Added for each column.
    public let du: Vector3
    /// Added for each row.
    public let dv: Vector3

    /// Computes the rays of a camera.
    public init(_ camera: Camera) {
        let pose = camera.pose
        let lens = camera.intrinsics
        origin = pose.position
        du = pose.right / lens.fx
        dv = -pose.up / lens.fy
        d0 = du * (0.5 - lens.cx) + dv * (0.5 - lens.cy) - pose.back
    }

    /// The twelve numbers in field order, the upload of the `camera` layout.
    public var flat: [Double] { [origin, d0, du, dv].flatMap(\.components) }

    /// Direction of the ray of a pixel, unnormalised.
    public func direction(column: Int, row: Int) -> Vector3 {
        d0 + du * Double(column) + dv * Double(row)
    }
}

/// Returns [6, height, width]: origin and unnormalised direction of every pixel, world frame.
public func rayGrid(_ camera: Camera) -> [Double] {
    let rays = RayMap(camera)
    let (width, height) = (camera.intrinsics.width, camera.intrinsics.height)
    let origin = rays.origin.components
    let (d0, du, dv) = (rays.d0.components, rays.du.components, rays.dv.components)
    return [Double](unsafeUninitializedCapacity: 6 * width * height) { out, initialized in
        guard var next = out.baseAddress else { return }
        for axis in 0..<3 {
            next.update(repeating: origin[axis], count: width * height)
            next += width * height
        }
        for axis in 0..<3 {
            for row in 0..<height {
                let start = d0[axis] + dv[axis] * Double(row)
                var column = 0
                while column < width {
                    next[column] = start + du[axis] * Double(column)
                    column &+= 1
                }
                next += width
            }
        }
        initialized = 6 * width * height
    }
}

/// Returns `count` depths from `near` to `far`, both included, along the optical axis.
public func sampleDepths(near: Double, far: Double, count: Int) -> [Double] {
    let step = (far - near) / Double(count - 1)
    return (0..<count).map { $0 == count - 1 ? far : near + Double($0) * step }
}
