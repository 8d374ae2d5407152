import Foundation
import NelfBenchCore
import XCTest

final class OrbitTests: XCTestCase {
    private struct Vector: Decodable {
        struct Placed: Decodable {
            let position: [Double]
            let cam_to_world: Pose
        }

        let limits: OrbitLimits
        let basis: [[Double]]
        let poses: [Placed]
        let sweep: [Pose]
    }

    func testPosesEqualThoseOfPython() throws {
        let cases: [Vector] = try vectors("orbits.json")
        XCTAssertEqual(cases.count, 3)
        for vector in cases {
            let basis = vector.limits.basis
            assertClose(
                [basis.first, basis.second, basis.up].flatMap(\.components),
                vector.basis.flatMap { $0 }, "basis")
            for placed in vector.poses {
                let position = OrbitPosition(
                    azimuth: placed.position[0], elevation: placed.position[1],
                    radius: placed.position[2])
                assertClose(
                    vector.limits.pose(position).rows.flatMap { $0 },
                    placed.cam_to_world.rows.flatMap { $0 }, "pose")
            }
        }
    }

    func testSweepEqualsThatOfPython() throws {
        let cases: [Vector] = try vectors("orbits.json")
        XCTAssertEqual(Set(cases.map(\.limits.fullTurn)), [true, false])
        for vector in cases {
            let poses = vector.limits.sweep(vector.sweep.count).map { vector.limits.pose($0) }
            for (pose, expected) in zip(poses, vector.sweep) {
                assertClose(
                    pose.rows.flatMap { $0 }, expected.rows.flatMap { $0 }, "sweep")
            }
        }
    }

    private func limits(azimuth: ClosedSpan) -> OrbitLimits {
        OrbitLimits(
            target: Vector3(0, 0, 0), up: Vector3(0, 0, 1), azimuth: azimuth,
            elevation: ClosedSpan(0, 80), radius: ClosedSpan(3, 5))
    }

    func testDragStopsAtTheLimits() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-40, 40)))
        gesture.drag(dx: -1000, dy: 1000, size: 100)
        XCTAssertEqual(gesture.position.azimuth, 40)
        XCTAssertEqual(gesture.position.elevation, 80)
        gesture.release()
        gesture.drag(dx: 0, dy: -10, size: 180)
        XCTAssertEqual(gesture.position.elevation, 70, accuracy: 1e-9)
        XCTAssertEqual(gesture.position.azimuth, 40)
    }

    func testDragGoesRoundWherePhotosDo() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-180, 180)))
        gesture.drag(dx: -190, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, -170, accuracy: 1e-9)
        // The finger stays down: positions count from where it went down.
        gesture.drag(dx: -10, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, 10, accuracy: 1e-9)
    }

    func testPinchComesCloserWithinTheLimits() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-40, 40)))
        gesture.pinch(scale: 1.25)
        XCTAssertEqual(gesture.position.radius, 3.2, accuracy: 1e-9)
        gesture.pinch(scale: 100)
        XCTAssertEqual(gesture.position.radius, 3)
    }
}
