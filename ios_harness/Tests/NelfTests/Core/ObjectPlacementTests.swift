import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

final class ObjectPlacementTests: XCTestCase {
    private func contract() throws -> Contract {
        let config = try BenchConfig(data: vectorData("bench.json"))
        return config.contract
    }

    /// A point of the room and where the scene has it, by turning about the upright axis alone.
    private func room(_ scene: Vector3, _ placement: ObjectPlacement) -> Vector3 {
        let limits = placement.limits
        let (first, second, up) = limits.basis
        let from = scene - limits.target
        // Azimuth 0 of the scene points to this direction of the room.
        let zero = placement.facing - limits.azimuth.middle * .pi / 180
        let (x, y) = (from.dot(first), from.dot(second))
        let (along, across) = (x * cos(zero) - y * sin(zero), x * sin(zero) + y * cos(zero))
        return placement.position
            + Vector3(along, from.dot(up), -across) * placement.metersPerUnit
    }

    /// The slow way: a point of the scene, projected by the camera of the photos, must lie where the
    /// ray from the viewer to that point of the room meets the rectangle.
    func testRaysThroughTheRectangleAreThoseOfThePicture() throws {
        var placement = ObjectPlacement(contract: try contract(), sizeCm: 40)
        placement.stand(on: Vector3(0.3, -1.2, -0.8), viewer: Vector3(0.1, 0.4, 0.9))
        let limits = placement.limits
        let lens = placement.intrinsics
        for (azimuth, elevation) in [(0.2, 0.3), (0.6, 0.7), (0.5, 0.5)] {
            let place = OrbitPosition(
                azimuth: limits.azimuth.low + azimuth * limits.azimuth.length,
                elevation: limits.elevation.low + elevation * limits.elevation.length,
                radius: limits.radius.middle)
            let pose = limits.pose(place)
            let viewer = room(pose.position, placement)
            let view = try XCTUnwrap(placement.view(from: viewer))
            XCTAssertEqual(view.orbit.azimuth, place.azimuth, accuracy: 1e-6)
            XCTAssertEqual(view.orbit.elevation, place.elevation, accuracy: 1e-6)
            XCTAssertEqual(view.orbit.radius, place.radius, accuracy: 1e-6)
            for offset in [Vector3(0.1, -0.2, 0.15), Vector3(-0.2, 0.1, 0.05)] {
                let point = limits.target + offset
                let seen = point - pose.position
                let ahead = -seen.dot(pose.back)
                let u = lens.cx + lens.fx * seen.dot(pose.right) / ahead
                let v = lens.cy - lens.fy * seen.dot(pose.up) / ahead
                let ray = room(point, placement) - viewer
                let t = (view.center - viewer).dot(view.normal) / ray.dot(view.normal)
                let hit = viewer + ray * t - view.center
                let column = (hit.dot(view.right) / view.width + 0.5) * Double(lens.width)
                let row = (0.5 - hit.dot(view.up) / view.height) * Double(lens.height)
                XCTAssertEqual(column, u, accuracy: 1e-6)
                XCTAssertEqual(row, v, accuracy: 1e-6)
            }
        }
    }

    func testTheObjectStandsOnTheSurfaceInItsSize() throws {
        var placement = ObjectPlacement(contract: try contract(), sizeCm: 40)
        placement.stand(on: Vector3(1, 2, 3), viewer: Vector3(1, 3, 4))
        XCTAssertEqual(placement.position.y, 2.2, accuracy: 1e-9)
        // Who placed it sees the middle of the photos.
        let view = try XCTUnwrap(placement.view(from: Vector3(1, 3, 4)))
        XCTAssertEqual(view.orbit.azimuth, placement.limits.azimuth.middle, accuracy: 1e-9)
    }

    func testTheFootStandsOnTheSurfaceWhereItIsKnown() throws {
        var placement = ObjectPlacement(
            contract: try contract(), room: RoomSettings(foot: 0.5, head: 0.3), sizeCm: 40)
        XCTAssertEqual(placement.metersPerUnit, 0.5, accuracy: 1e-9)
        placement.stand(on: Vector3(1, 2, 3), viewer: Vector3(1, 3, 4))
        XCTAssertEqual(placement.position.y, 2.25, accuracy: 1e-9)
    }

    /// What the app says, what the package says, the printed board, the distance of the photos.
    func testTheSizeIsThatOfWhoeverKnowsBest() throws {
        let known = try contract()
        XCTAssertNil(known.metersPerUnit)
        func scale(_ contract: Contract, _ given: Double?, _ asked: Double?) -> Double {
            let room = RoomSettings(foot: 0.5, head: 0.3, sizeCm: given)
            return ObjectPlacement(contract: contract, room: room, sizeCm: asked).metersPerUnit
        }
        XCTAssertEqual(scale(known, nil, nil) * known.orbit.radius.middle, 1, accuracy: 1e-9)
        var values = try XCTUnwrap(
            JSONSerialization.jsonObject(with: JSONEncoder().encode(known)) as? [String: Any])
        values["metres_per_unit"] = 0.05
        let told = try Contract(json: JSONSerialization.data(withJSONObject: values))
        XCTAssertEqual(scale(told, nil, nil), 0.05)
        XCTAssertEqual(scale(told, 16, nil), 0.2, accuracy: 1e-9)
        XCTAssertEqual(scale(told, 16, 40), 0.5, accuracy: 1e-9)
    }

    func testCloserThanThePhotosThePictureIsEnlarged() throws {
        var placement = ObjectPlacement(contract: try contract(), sizeCm: 40)
        placement.stand(on: Vector3(0, 0, 0), viewer: Vector3(0, 0.2, 1))
        let unit = placement.metersPerUnit
        let nearest = placement.limits.radius.low
        let direction = Vector3(0, 0, 1)
        func view(_ distance: Double) throws -> ObjectView {
            try XCTUnwrap(placement.view(from: placement.position + direction * (distance * unit)))
        }
        let trained = try view(nearest)
        let close = try view(0.8 * nearest)
        XCTAssertEqual(close.orbit.radius, nearest)
        XCTAssertEqual(close.width, trained.width, accuracy: 1e-9)
        XCTAssertNil(placement.view(from: placement.position))
    }
}
