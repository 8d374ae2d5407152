import Foundation
import XCTest

@testable import NelfBench
@testable import NelfCore
@testable import NelfKit

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

    private func limits(
        azimuth: ClosedSpan, radius: ClosedSpan = ClosedSpan(3, 5)
    ) -> OrbitLimits {
        OrbitLimits(
            target: Vector3(0, 0, 0), up: Vector3(0, 0, 1), azimuth: azimuth,
            elevation: ClosedSpan(0, 80), radius: radius)
    }

    func testDragStopsAtTheLimits() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-40, 40)))
        gesture.drag(dx: -1000, dy: 1000, size: 100)
        XCTAssertEqual(gesture.position.azimuth, 40)
        XCTAssertEqual(gesture.position.elevation, 80)
        gesture.endDrag()
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

    /// A second finger comes and goes while the first one stays.
    func testTheEndOfAPinchLeavesADragAlone() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-180, 180)))
        gesture.drag(dx: 50, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, -50, accuracy: 1e-9)
        gesture.pinch(scale: 1.25)
        gesture.endPinch()
        gesture.drag(dx: 51, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, -51, accuracy: 1e-9)
        XCTAssertEqual(gesture.position.radius, 3.2, accuracy: 1e-9)
        gesture.endDrag()
        XCTAssertFalse(gesture.isHeld)
    }

    func testAnObjectLeftAloneTurnsBackAndForth() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-40, 40)))
        var turntable = Turntable()
        XCTAssertFalse(turntable.advance(3, &gesture))
        gesture.drag(dx: 0, dy: 0, size: 100)
        XCTAssertFalse(turntable.advance(3, &gesture))
        gesture.endDrag()
        XCTAssertFalse(turntable.advance(4, &gesture))
        XCTAssertTrue(turntable.advance(1, &gesture))
        XCTAssertEqual(gesture.position.azimuth, 15, accuracy: 1e-9)
        for _ in 0..<4 { _ = turntable.advance(1, &gesture) }
        XCTAssertLessThan(gesture.position.azimuth, 40)
    }

    func testAViewpointIsClampedAndACameraIsNot() {
        let limits = limits(azimuth: ClosedSpan(-40, 40))
        let clamped = Viewpoint.orbit(azimuth: 90, elevation: 20).pose(limits)
        let expected = limits.pose(OrbitPosition(azimuth: 40, elevation: 20, radius: 4))
        XCTAssertEqual(clamped, expected)
        let far = limits.pose(OrbitPosition(azimuth: 90, elevation: -20, radius: 9))
        XCTAssertEqual(Viewpoint.camera(far).pose(limits), far)
    }

    func testPinchComesCloserWithinTheLimits() {
        var gesture = OrbitGesture(limits: limits(azimuth: ClosedSpan(-40, 40)))
        gesture.pinch(scale: 1.25)
        XCTAssertEqual(gesture.position.radius, 3.2, accuracy: 1e-9)
        XCTAssertEqual(gesture.zoom, 1)
        gesture.pinch(scale: 100)
        XCTAssertEqual(gesture.position.radius, 3)
        XCTAssertEqual(gesture.zoom, OrbitGesture.maxZoom)
    }

    /// Many scenes are: a pinch enlarges their pictures, and a drag then turns by less.
    func testPhotosFromOneDistanceAreEnlarged() {
        var gesture = OrbitGesture(
            limits: limits(azimuth: ClosedSpan(-180, 180), radius: ClosedSpan(4, 4)))
        gesture.pinch(scale: 2)
        gesture.endPinch()
        gesture.pinch(scale: 1.25)
        gesture.endPinch()
        XCTAssertEqual(gesture.zoom, 2.5, accuracy: 1e-9)
        XCTAssertEqual(gesture.position.radius, 4)
        gesture.drag(dx: -50, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, 20, accuracy: 1e-9)
        gesture.pinch(scale: 0.1)
        XCTAssertEqual(gesture.zoom, 1)
        XCTAssertEqual(gesture.position.radius, 4)
        // The finger that still drags counts as it began.
        gesture.drag(dx: -100, dy: 0, size: 180)
        XCTAssertEqual(gesture.position.azimuth, 40, accuracy: 1e-9)
    }
}
