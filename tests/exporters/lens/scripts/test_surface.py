"""The picture on a surface of its own: in the room, at any distance, and on the screen."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from mobile_nelf.deploy.room import object_span
from mobile_nelf.errors import InputError
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.room import room_picture
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.view import RoomSize
from tests.helpers.lens.lenses import GRID, Lens, make_lens
from tests.helpers.lens.sessions import FRAME, SCENE, settle
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

pytestmark = needs_node

SCREEN = (90, 160)
FOV = 63.5
HERE = np.hstack([np.eye(3), np.zeros((3, 1))])
#: Of half the screen's height, a centimetre ahead.
HIGH = math.tan(math.radians(FOV) / 2)


def _opened(files, **phone) -> LensSession:
    """A lens in the room with the object a metre ahead."""
    session = LensSession(with_material(files), screen=SCREEN, **phone)
    session.set_device(HERE, FOV)
    settle(session)
    return session


def _at(place, yaw: float = 0.0) -> np.ndarray:
    turn = math.radians(yaw)
    axes = [[math.cos(turn), 0, math.sin(turn)], [0, 1, 0], [-math.sin(turn), 0, math.cos(turn)]]
    return np.column_stack([axes, place])


def _corners(session: LensSession) -> np.ndarray:
    (surface,) = session.surfaces
    return np.array(surface.vertices)[:, :3]


def _centre(session: LensSession) -> np.ndarray:
    return _corners(session).mean(axis=0)


def _foot(lens: Lens) -> float:
    """From the target to the foot of the object, in centimetres."""
    return object_span(lens.checkpoint).foot / (sum(lens.contract.orbit.radius) / 2) * 100.0


@pytest.fixture(scope="module")
def lens() -> Lens:
    return make_lens("rays", "world", 4)


def test_with_neither_material_nor_mask_the_lens_says_how_to_make_one(lens):
    scene = re.sub(rb"pictureCamera: \S+ \S+", b"pictureCamera: ~", lens.files[SCENE])
    with LensSession({**lens.files, SCENE: scene}, screen=SCREEN) as session:
        session.start()
        assert "No material. In the Asset Browser choose + and the material Image" in session.status
        assert session.cost.runs == 0
        np.testing.assert_array_equal(session.screen(), 128)


@pytest.mark.parametrize("distance", [30, 55, 100, 150, 300])
def test_at_any_distance_the_square_is_as_large_as_in_the_photos(lens, distance):
    """Its corners lie where the photo's do in the plane through the target."""
    with _opened(lens.files) as session:
        session.set_device(_at([0.0, 0.0, distance - 100.0]), FOV)
        session.update(FRAME)
        corners = _corners(session)
        assert session.cost.runs == 1
    optics, orbit = lens.contract.intrinsics, lens.contract.orbit
    cm = sum(orbit.radius) / 2 / 100.0
    radius = float(np.clip(distance * cm, *orbit.radius)) / cm
    size = [radius * optics.width / optics.fx, radius * optics.height / optics.fy, 0.0]
    np.testing.assert_allclose(np.ptp(corners, axis=0), size, atol=1e-4)
    np.testing.assert_allclose(corners.mean(axis=0), [0.0, 0.0, -100.0], atol=1e-4)


def test_the_room_outside_of_the_square_is_untouched(lens):
    pose = _at([10.0, 5.0, -20.0], 3.0)
    room = room_picture(pose, FOV, SCREEN)
    with _opened(lens.files) as session:
        session.see(room)
        session.set_device(pose, FOV)
        session.update(FRAME)
        screen, corners = session.screen(), _corners(session)
    changed = np.argwhere((screen != room).any(axis=2)) + 0.5
    assert len(changed) > 100
    local = (corners - pose[:, 3]) @ pose[:, :3]
    scale = SCREEN[1] / 2 / HIGH
    columns = SCREEN[0] / 2 + scale * local[:, 0] / -local[:, 2]
    rows = SCREEN[1] / 2 - scale * local[:, 1] / -local[:, 2]
    for places, found in ((rows, changed[:, 0]), (columns, changed[:, 1])):
        assert places.min() <= found.min()
        assert found.max() <= places.max()


def test_far_away_the_object_fades_and_then_costs_nothing(lens):
    # Shares of half the screen's height that the ball has; below 0.06 it fades, at 0.03 it is gone.
    ball = lens.contract.ball_radius / (sum(lens.contract.orbit.radius) / 2) * 100.0
    tints, runs = [], []
    with _opened(lens.files) as session:
        for share in (0.5, 0.07, 0.045, 0.031, 0.029):
            session.set_device(_at([0.0, 0.0, ball / (share * HIGH) - 100.0]), FOV)
            session.update(FRAME)
            tints.append(session.surfaces[0].tint[0] if session.surfaces else 0.0)
            runs.append(session.cost.runs)
    np.testing.assert_allclose(tints, [1.0, 1.0, 0.5, 1 / 30, 0.0], atol=1e-3)
    assert runs == [1, 1, 1, 1, 0]


@pytest.mark.parametrize("yaw", [90.0, 180.0])
def test_off_the_screen_nothing_is_drawn(lens, yaw):
    with _opened(lens.files) as session:
        session.set_device(_at([0.0, 0.0, 0.0], yaw), FOV)
        session.update(FRAME)
        assert (session.surfaces, session.cost.runs) == ((), 0)
        session.set_device(HERE, FOV)
        session.update(FRAME)
        assert len(session.surfaces) == 1


def test_who_stands_inside_of_the_object_sees_the_room(lens):
    with _opened(lens.files) as session:
        session.set_device(_at([0.0, 0.0, -95.0]), FOV)
        session.update(FRAME)
        assert session.surfaces == ()


def _tap(session: LensSession, x: float, y: float) -> None:
    session.touch("start", 0, x, y)
    session.update(FRAME)
    session.touch("end", 0, x, y)
    session.update(FRAME)


def test_a_tap_puts_the_foot_on_a_plane(lens):
    with _opened(lens.files, has_planes=True) as session:
        session.find_plane((20.0, -130.0, -250.0), (300.0, 200.0))
        _tap(session, 0.5, 0.9)
        ahead = 130.0 / (0.8 * HIGH)
        np.testing.assert_allclose(_centre(session), [0, _foot(lens) - 130, -ahead], atol=1e-2)
        _tap(session, 0.5, 0.1)  # up, where no plane is: as far away as at the start
        assert _centre(session)[1] > 40.0


def test_a_tap_on_the_mesh_of_a_phone_that_has_one(lens):
    with _opened(lens.files, floor_cm=-80.0) as session:
        _tap(session, 0.6, 0.9)
        ahead = 80.0 / (0.8 * HIGH)
        aside = 0.2 * HIGH * SCREEN[0] / SCREEN[1] * ahead
        np.testing.assert_allclose(_centre(session), [aside, _foot(lens) - 80.0, -ahead], atol=1e-2)


def test_a_drag_is_no_tap(lens):
    with _opened(lens.files, floor_cm=-80.0) as session:
        place = _centre(session)
        session.touch("start", 0, 0.4, 0.8)
        session.touch("move", 0, 0.5, 0.8)
        session.touch("end", 0, 0.5, 0.8)
        session.update(FRAME)
        np.testing.assert_allclose(_centre(session), place, atol=1e-4)


def test_two_fingers_size_it_on_its_foot(lens):
    with _opened(lens.files) as session:
        corners = _corners(session)
        session.touch("start", 0, 0.4, 0.5)
        session.touch("start", 1, 0.4, 0.7)
        session.touch("move", 1, 0.4, 0.8)
        session.update(FRAME)
        sized = _corners(session)
    # So near, it is drawn from the nearest photo, in which the picture covers less of it.
    nearest = lens.contract.orbit.radius[0] / (sum(lens.contract.orbit.radius) / 2)
    assert np.ptp(sized[:, 0]) == pytest.approx(1.5 * nearest * np.ptp(corners[:, 0]))
    assert sized[:, 1].mean() == pytest.approx(0.5 * _foot(lens), abs=1e-2)


def test_one_finger_turns_it_as_if_one_walked_round(lens):
    with _opened(lens.files) as session:
        before, corners = session.texture(), _corners(session)
        session.touch("start", 0, 0.2, 0.5)
        session.touch("move", 0, 0.7, 0.5)  # half a screen is 90 degrees
        session.update(FRAME)
        turned = session.texture()
        np.testing.assert_allclose(_corners(session), corners, atol=1e-4)
    assert np.abs(turned - before).max() > 0.01
    with _opened(lens.files) as session:
        session.set_device(_at([-100.0, 0.0, -100.0], -90.0), FOV)
        session.update(FRAME)
        np.testing.assert_allclose(session.texture(), turned, atol=2e-3)


def _sized(size: float, experience: str = "world"):
    checkpoint = random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu", **GRID)
    options = Options(layout="rays", experience=experience, size_cm=size)
    return checkpoint, LensStudioExporter().export(checkpoint, "Mic", options)


@pytest.mark.parametrize("size", [10.0, 55.0])
def test_the_object_is_as_high_as_was_asked(size):
    checkpoint, exported = _sized(size)
    span = object_span(checkpoint)
    optics, orbit = exported.contract.intrinsics, exported.contract.orbit
    with _opened(project_files(exported.files)) as session:
        high, ahead = np.ptp(_corners(session)[:, 1]), -_centre(session)[2]
    room = RoomSize.of(exported.contract, size, span)
    assert ahead == pytest.approx(room.distance_cm, abs=1e-3)
    assert 40.0 <= ahead <= 300.0
    radius = float(np.clip(ahead * room.units_per_cm, *orbit.radius))
    assert high == pytest.approx(
        radius * optics.height / optics.fy * size / (span.foot + span.head)
    )


def test_an_object_of_known_size_has_it_without_being_asked():
    checkpoint = random_checkpoint(sr_widths=(8,), out_channels=4, activation="relu", **GRID)
    known = replace(checkpoint, metres_per_unit=0.15)
    options = Options(layout="rays", experience="world")
    exported = LensStudioExporter().export(known, "Mic", options)
    assert exported.contract.metres_per_unit == 0.15
    optics, orbit = exported.contract.intrinsics, exported.contract.orbit
    with _opened(project_files(exported.files)) as session:
        high, ahead = np.ptp(_corners(session)[:, 1]), -_centre(session)[2]
    radius = float(np.clip(ahead / 15.0, *orbit.radius))
    assert high == pytest.approx(15.0 * radius * optics.height / optics.fy)


@pytest.mark.parametrize(("size", "experience"), [(0.0, "world"), (2e3, "world"), (20.0, "orbit")])
def test_sizes_that_cannot_be_are_refused(size, experience):
    with pytest.raises(InputError, match="size_cm"):
        _sized(size, experience)


def _on_screen(channels: int = 3) -> LensSession:
    lens = make_lens("rays", "orbit", channels)
    session = LensSession(with_material(lens.files), screen=SCREEN)
    session.start()
    session.update(FRAME)
    return session


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("apart", [0.5, 1.0, 2.0])
def test_with_a_material_a_pinch_enlarges_and_shrinks_the_trained_picture(channels, apart):
    orbit = make_lens("rays", "orbit", channels).contract.orbit
    with _on_screen(channels) as session:
        before, corners = session.texture(), _corners(session)
        session.touch("start", 0, 0.5, 0.3)
        session.touch("start", 1, 0.5, 0.5)
        session.touch("move", 1, 0.5, 0.3 + 0.2 * apart)
        session.update(FRAME)
        after, sized = session.texture(), _corners(session)
    distance = float(np.clip(4.1 / apart, 0.5 * orbit.radius[0], 2 * orbit.radius[1]))
    radius = float(np.clip(distance, *orbit.radius))
    assert np.ptp(sized[:, 0]) == pytest.approx(np.ptp(corners[:, 0]) * radius / distance, rel=1e-6)
    if apart == 1.0:
        np.testing.assert_allclose(after, before, atol=1e-6)


def test_with_a_material_the_whole_picture_fits_on_the_screen():
    contract = make_lens("rays", "orbit").contract
    with _on_screen() as session:
        corners = _corners(session)
    _, _, rows, columns = contract.output.shape
    wide = np.ptp(corners[:, 0]) * contract.student.image_width / columns
    high = np.ptp(corners[:, 1]) * contract.student.image_height / rows
    # An orthographic camera of size 20: twenty from top to bottom.
    assert max(wide / (20 * SCREEN[0] / SCREEN[1]), high / 20) == pytest.approx(1.0)
    optics = contract.intrinsics
    assert wide / high == pytest.approx(optics.width / optics.fx * optics.fy / optics.height)
