import Foundation

// OpenGL camera frame: x right, y up, the camera looks along −z. Focal lengths and principal point
// are in pixels, pixel centres at +0.5, rows run downwards.

/// A pinhole lens over a pixel grid.
public struct Intrinsics: Codable, Equatable, Sendable {
    public let width: Int
    public let height: Int
    public let fx: Double
    public let fy: Double
    public let cx: Double
    public let cy: Double

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
    public let right: Vector3
    public let up: Vector3
    public let back: Vector3
    public let position: Vector3

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
    public let pose: Pose
    public let intrinsics: Intrinsics

    public init(pose: Pose, intrinsics: Intrinsics) {
        self.pose = pose
        self.intrinsics = intrinsics
    }
}
