import Foundation

// OpenGL camera frame: x right, y up, the camera looks along −z. Focal lengths and principal point
// are in pixels, pixel centres at +0.5, rows run downwards.

/// A pinhole lens over a pixel grid.
public struct Intrinsics: Codable, Equatable, Sendable {
    /// Pixels of a row.
    public let width: Int
    /// Rows.
    public let height: Int
    /// Focal length along rows, pixels.
    public let fx: Double
    /// Focal length along columns, pixels.
    public let fy: Double
    /// Column of the principal point, pixels.
    public let cx: Double
    /// Row of the principal point, pixels.
    public let cy: Double

    /// Takes the lens of a pixel grid.
    public init(width: Int, height: Int, fx: Double, fy: Double, cx: Double, cy: Double) {
        self.width = width
        self.height = height
        self.fx = fx
        self.fy = fy
        self.cx = cx
        self.cy = cy
    }

    /// The same view on another pixel grid, such as the ray grid of a student.
    public func resized(width newWidth: Int, height newHeight: Int) -> Intrinsics {
        let sx = Double(newWidth) / Double(width)
        let sy = Double(newHeight) / Double(height)
        return Intrinsics(
            width: newWidth, height: newHeight, fx: fx * sx, fy: fy * sy, cx: cx * sx, cy: cy * sy)
    }
}

/// Where a camera stands and which way it looks: the columns of `cam_to_world`, world frame.
/// In JSON three rows of four numbers.
public struct Pose: Equatable, Sendable {
    /// Towards the right of the picture; unit length.
    public let right: Vector3
    /// Towards the top of the picture; unit length.
    public let up: Vector3
    /// Against the direction of view; unit length.
    public let back: Vector3
    /// Of the camera, in the scene's units.
    public let position: Vector3

    /// Takes the columns of `cam_to_world`.
    public init(right: Vector3, up: Vector3, back: Vector3, position: Vector3) {
        self.right = right
        self.up = up
        self.back = back
        self.position = position
    }

    /// `cam_to_world`, 3×4.
    public var rows: [[Double]] {
        let columns = [right, up, back, position].map(\.components)
        return (0..<3).map { row in columns.map { $0[row] } }
    }
}

extension Pose: Codable {
    public init(from decoder: Decoder) throws {
        let rows = try [[Double]](from: decoder)
        guard rows.count == 3, rows.allSatisfy({ $0.count == 4 }) else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: decoder.codingPath, debugDescription: "expected 3 rows of 4 numbers"
                ))
        }
        func column(_ index: Int) -> Vector3 {
            Vector3(rows[0][index], rows[1][index], rows[2][index])
        }
        self.init(right: column(0), up: column(1), back: column(2), position: column(3))
    }

    public func encode(to encoder: Encoder) throws {
        try rows.encode(to: encoder)
    }
}

/// A pinhole camera at a pose.
public struct Camera: Equatable, Sendable {
    /// Where it stands.
    public let pose: Pose
    /// Its lens.
    public let intrinsics: Intrinsics

    /// Puts a lens at a pose.
    public init(pose: Pose, intrinsics: Intrinsics) {
        self.pose = pose
        self.intrinsics = intrinsics
    }
}
