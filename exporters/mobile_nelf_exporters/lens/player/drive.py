"""Renders reference cameras through a running lens: by touch, or by walking there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.errors import BundleError
from mobile_nelf.export.runtime import FrameFunction
from mobile_nelf_exporters.lens.constants import room_constants
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.view import DEGREES_A_SCREEN, PHONE_FOV_DEG
from mobile_nelf_exporters.onnx.picture import over_background

__all__ = ["SETTLED_FRAMES", "lens_frame_function"]

#: In which a lens in the room finds its place, and draws.
SETTLED_FRAMES = 5

#: A finger that is lifted at once keeps the object turning; one that stays down does not.
FINGER = 0
#: The one that pinches, and how far it comes down below the other, in heights of the screen.
SECOND_FINGER = 1
SPAN = 0.25
#: Poses at one distance have it up to rounding.
SAME_DISTANCE = 1e-9


def lens_frame_function(files: Mapping[str, bytes], contract: Contract) -> FrameFunction:
    """Returns a function that renders a camera through the lens, which starts with the first one.

    Args:
        files: of the Lens Studio project, by path relative to it.
        contract: of its model.

    Returns:
        Takes a camera on the ray grid that looks at the orbit's target from within its limits;
        gives the student's picture [rows, columns, 3 or 4].
    """
    opened: list[FrameFunction] = []

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        if not opened:
            if contract.is_cut_out:
                opened.append(_stand(with_material(files), contract))
            else:
                opened.append(_touch(files, contract))
        return opened[0](camera)

    return frame


def _touch(files: Mapping[str, bytes], contract: Contract) -> FrameFunction:
    """Drags the object from view to view with a finger that stays down; a second one pinches."""
    _, _, rows, columns = contract.output.shape
    orbit = contract.orbit
    session = LensSession(files, screen=(columns, rows))
    session.start()
    session.update()
    finger = [0.0, 0.0]
    session.touch("start", FINGER, *finger)
    # Where a lens begins.
    view = [sum(orbit.azimuth) / 2, sum(orbit.elevation) / 2]
    shown = [sum(orbit.radius) / 2]

    def pinch(distance: float) -> None:
        span = SPAN * shown[0] / distance
        session.touch("start", SECOND_FINGER, finger[0], finger[1] + SPAN)
        session.touch("move", SECOND_FINGER, finger[0], finger[1] + span)
        session.touch("end", SECOND_FINGER, finger[0], finger[1] + span)
        shown[0] = distance

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        azimuth, elevation = _angles(orbit, camera)
        distance = float(np.linalg.norm(camera.position - np.array(orbit.target)))
        # The object follows the finger, so the camera goes the other way round it.
        finger[0] -= (azimuth - view[0]) / DEGREES_A_SCREEN
        finger[1] += (elevation - view[1]) / DEGREES_A_SCREEN
        view[:] = azimuth, elevation
        session.touch("move", FINGER, *finger)
        if not math.isclose(distance, shown[0], rel_tol=SAME_DISTANCE):
            pinch(distance)
        session.update()
        return _picture(session, contract)

    return frame


def _stand(files: Mapping[str, bytes], contract: Contract) -> FrameFunction:
    """Carries a phone to each camera; the picture on the object's surface is what counts."""
    placed = _placed(files, contract.orbit)
    student = contract.student
    session = LensSession(files, screen=(student.image_width, student.image_height))
    session.set_device(np.hstack([np.eye(3), np.zeros((3, 1))]), PHONE_FOV_DEG)
    _settle(session)

    def frame(camera: Camera) -> npt.NDArray[np.float32]:
        session.set_device(placed(camera), PHONE_FOV_DEG)
        session.update()
        return over_background(_picture(session, contract), contract)

    return frame


def _settle(session: LensSession) -> None:
    session.start()
    for _ in range(SETTLED_FRAMES):
        session.update()


def _placed(
    files: Mapping[str, bytes], orbit: OrbitLimits
) -> Callable[[Camera], npt.NDArray[np.float64]]:
    """Returns a function from a camera of the photos to the pose of a phone in the room.

    The lens puts the object in front of where the phone is at first: there the photos' middle is.
    """
    room_to_world = _room_to_world(orbit)
    units_per_cm, distance_cm = room_constants(files)

    def placed(camera: Camera) -> npt.NDArray[np.float64]:
        pose = camera.cam_to_world
        place = room_to_world.T @ (pose[:, 3] - np.array(orbit.target)) / units_per_cm
        place += [0.0, 0.0, -distance_cm]
        return np.column_stack([room_to_world.T @ pose[:, :3], place])

    return placed


def _room_to_world(orbit: OrbitLimits) -> npt.NDArray[np.float64]:
    """Rotation from Lens Studio's world to the photos', as the lens puts the object into the room.

    The phone at the start looks along −z at the middle azimuth, with y up.
    """
    level = orbit.pose(sum(orbit.azimuth) / 2, 0.0, 1.0)
    return level[:, :3]


def _angles(orbit: OrbitLimits, camera: Camera) -> tuple[float, float]:
    """Azimuth and elevation in degrees from which a camera sees the target."""
    first, second, up = orbit.basis()
    away = camera.position - np.array(orbit.target)
    elevation = math.degrees(math.asin(float(away @ up) / float(np.linalg.norm(away))))
    azimuth = math.degrees(math.atan2(float(away @ second), float(away @ first)))
    middle = sum(orbit.azimuth) / 2
    return middle + (azimuth - middle + 180.0) % 360.0 - 180.0, elevation


def _picture(session: LensSession, contract: Contract) -> npt.NDArray[np.float32]:
    texture = session.drawn() if contract.is_cut_out else session.texture()
    if session.status or texture is None:
        raise BundleError(f"the lens shows no picture: {session.status or 'it drew nothing'}")
    expected = contract.output.shape[2:] + contract.output.shape[1:2]
    if texture.shape != expected:
        raise BundleError(f"the lens shows a texture of {texture.shape}, expected {expected}")
    student = contract.student
    top, left = contract.picture_corner
    return texture[top:, left:][: student.image_height, : student.image_width]
