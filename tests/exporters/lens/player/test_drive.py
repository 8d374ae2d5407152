"""Lenses driven to cameras by fingers and by walking, against slow oracles of where they look."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mobile_nelf.cameras import OrbitLimits
from mobile_nelf.errors import BundleError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.drive import lens_frame_function
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.lenses import Lens, make_lens
from tests.helpers.lens.sessions import settle
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

pytestmark = needs_node

#: A random network amplifies what float32 does to phases; on these students it leaves 100 dB.
PROVED_DB = 70.0

#: Tilted, off the origin and not all the way round.
TILTED = OrbitLimits((0.1, -0.2, 0.3), (0.0, 0.6, 0.8), (-40.0, 75.0), (-10.0, 62.0), (3.5, 4.25))
#: Photos from near and far, so that a phone may move without leaving them.
WIDE = OrbitLimits((0.1, -0.2, 0.3), (0.0, 0.6, 0.8), (-120.0, 60.0), (-20.0, 70.0), (3.0, 5.0))

#: Degrees; not that of the contract's lens.
FOV = 50.0
#: Where the phone stands in the room when the lens begins: turned, tilted and not at the origin.
START = (np.array([30.0, 140.0, -20.0]), 35.0, -20.0, 0.0)


@cache
def _lens(layout: str, orbit: OrbitLimits, experience: str, out_channels: int = 3) -> Lens:
    checkpoint = replace(
        random_checkpoint(
            2, sr_widths=(8,), ray_width=20, ray_height=18, out_channels=out_channels
        ),
        orbit=orbit,
    )
    options = Options(layout=layout, experience=experience)
    exported = LensStudioExporter().export(checkpoint, "Mic", options)
    student = exported.contract.student
    deployed = checkpoint.on_grid(
        student.ray_width, student.ray_height, exported.contract.intrinsics
    )
    return Lens(deployed, exported.contract, project_files(exported.files))


def test_two_fingers_bring_the_lens_to_other_distances():
    lens = _lens("factored", TILTED, "orbit")
    frame = lens_frame_function(lens.files, lens.contract)
    student = student_frame_function(lens.checkpoint)
    views = [(0.0, 10.0, 3.5), (70.0, 60.0, 4.25), (-35.0, -5.0, 4.0), (70.0, 10.0, 4.0)]
    for view in views:
        camera = lens.checkpoint.ray_camera(TILTED.pose(*view))
        assert psnr_db(frame(camera), student(camera)) > PROVED_DB, view


def test_a_lens_that_went_elsewhere_would_be_seen():
    """The test above can fail: views differ by more than the bound."""
    lens = _lens("factored", TILTED, "orbit")
    frame = lens_frame_function(lens.files, lens.contract)
    student = student_frame_function(lens.checkpoint)
    near, far = (
        lens.checkpoint.ray_camera(TILTED.pose(0.0, 10.0, radius)) for radius in (3.5, 4.25)
    )
    assert psnr_db(frame(near), student(far)) < 50.0


def test_the_picture_is_cut_out_of_its_border():
    lens = _lens("rays", TILTED, "orbit")
    contract = lens.contract
    assert contract.output.shape[2] == contract.student.image_height + 2
    camera = lens.checkpoint.ray_camera(TILTED.pose(0.0, 10.0, 4.0))
    picture = lens_frame_function(lens.files, contract)(camera)
    assert picture.shape == (contract.student.image_height, contract.student.image_width, 3)


def test_a_lens_that_shows_nothing_says_why():
    camera = "Name: Camera\n  Enabled: "
    lens = make_lens("rays").edited("Assets/Scene.scene", f"{camera}true", f"{camera}false")
    with pytest.raises(BundleError, match="the lens shows no picture: it drew nothing"):
        lens.worst_db(1)


def test_a_texture_of_another_size_is_refused():
    lens = make_lens("rays")
    _, channels, rows, columns = lens.contract.output.shape
    shape = (1, channels, rows + 2, columns)
    other = replace(lens.contract, output=replace(lens.contract.output, shape=shape))
    with pytest.raises(BundleError, match=rf"a texture of \({rows}, {columns}, {channels}\)"):
        replace(lens, contract=other).worst_db(1)


def _turned(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A phone's rotation: about y, then its own x, then its own z; degrees."""
    y, x, z = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]])
    about_z = np.array([[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]])
    return about_y @ about_x @ about_z


def _phone(place: np.ndarray, yaw: float, pitch: float, roll: float) -> np.ndarray:
    return np.column_stack([_turned(yaw, pitch, roll), place])


def _in_photos(orbit: OrbitLimits, phone: np.ndarray) -> np.ndarray:
    """The pose in the photos' world of a phone in a room where the lens began at START.

    The target stands 1 m ahead of START, upright, its middle azimuth towards the phone.
    """
    start = _phone(*START)
    target = start[:, 3] - 100.0 * start[:, 2]
    back = np.array([start[0, 2], 0.0, start[2, 2]])
    back /= np.linalg.norm(back)
    up = np.array([0.0, 1.0, 0.0])
    room = np.stack([np.cross(up, back), up, back])
    level = orbit.pose(sum(orbit.azimuth) / 2, 0.0, 1.0)[:, :3]
    to_world = level @ room
    place = to_world @ (phone[:, 3] - target) * sum(orbit.radius) / 2 / 100.0
    return np.column_stack([to_world @ phone[:, :3], place + orbit.target])


def _ideal(lens: Lens, phone: np.ndarray, room: np.ndarray) -> np.ndarray:
    """The student's picture of where the phone is, put into the room pixel by pixel.

    It lies in the plane through the target across the line of sight, at its size there. Between
    texels it is interpolated, and clear around.
    """
    checkpoint, orbit = lens.checkpoint, lens.checkpoint.orbit
    pose = _in_photos(orbit, phone)
    target = np.array(orbit.target)
    away = pose[:, 3] - target
    distance = float(np.linalg.norm(away))
    first, second, up = orbit.basis()
    elevation = math.degrees(math.asin(away @ up / distance))
    azimuth = math.degrees(math.atan2(away @ second, away @ first))
    low = sum(orbit.azimuth) / 2 - 180
    azimuth = low + (azimuth - low) % 360
    radius = float(np.clip(distance, *orbit.radius))
    here = orbit.pose(
        float(np.clip(azimuth, *orbit.azimuth)), float(np.clip(elevation, *orbit.elevation)), radius
    )
    picture = student_frame_function(checkpoint)(checkpoint.ray_camera(here))
    alpha = picture[..., 3:]
    cut = np.concatenate(
        [picture[..., :3] - (1 - alpha) * np.array(lens.contract.background), alpha], axis=2
    )
    cut = np.rint(np.clip(cut, 0, 1) * 255) / 255
    facing = orbit.pose(azimuth, elevation, distance)[:, :3]
    rows, columns, _ = room.shape
    tall = math.tan(math.radians(FOV) / 2)
    optics = lens.contract.intrinsics
    found = room / 255.0
    for row in range(rows):
        for column in range(columns):
            x = (2 * (column + 0.5) / columns - 1) * tall * columns / rows
            y = (1 - 2 * (row + 0.5) / rows) * tall
            ray = pose[:, :3] @ [x, y, -1.0]
            depth = -(ray @ facing[:, 2])
            if depth <= 0:
                continue
            hit = facing.T @ (away + ray * (distance / depth))
            u = optics.cx + optics.fx * hit[0] / radius
            v = optics.cy - optics.fy * hit[1] / radius
            if 0 <= u <= optics.width and 0 <= v <= optics.height:
                colour = _texel(cut, u, v)
                found[row, column] = colour[:3] + (1 - colour[3]) * found[row, column]
    return np.clip(found, 0, 1)


def _texel(texels: np.ndarray, u: float, v: float) -> np.ndarray:
    """Interpolates at pixels u to the right and v down."""
    rows, columns, _ = texels.shape
    x, y = np.clip(u - 0.5, 0, columns - 1), np.clip(v - 0.5, 0, rows - 1)
    i, j = min(int(x), columns - 2), min(int(y), rows - 2)
    x, y = x - i, y - j
    upper = (1 - x) * texels[j, i] + x * texels[j, i + 1]
    return (1 - y) * upper + y * ((1 - x) * texels[j + 1, i] + x * texels[j + 1, i + 1])


PHONES = {
    "where it began": START,
    "rolled": (START[0], 35.0, -20.0, 30.0),
    "looking aside": (START[0], 41.0, -24.0, 5.0),
    "from the left": (np.array([-20.0, 150.0, -35.0]), 12.0, -22.0, 0.0),
    "nearer": (np.array([0.0, 118.0, -61.0]), 33.0, -22.0, 0.0),
    "further": (np.array([70.0, 160.0, 45.0]), 33.0, -19.0, -10.0),
    "behind": (np.array([-50.0, 130.0, -190.0]), 190.0, -12.0, 20.0),
}


@pytest.mark.parametrize(
    ("layout", "where"),
    [*(("factored", where) for where in PHONES), ("camera", "looking aside")],
)
def test_a_phone_sees_the_object_on_its_surface_in_the_room(layout, where):
    lens = _lens(layout, WIDE, "world", 4)
    room = np.random.default_rng(1).integers(0, 256, (96, 54, 3), np.uint8)
    with LensSession(with_material(lens.files), screen=(54, 96), camera_image=room) as session:
        session.set_device(_phone(*START), FOV)
        settle(session)
        session.set_device(_phone(*PHONES[where]), FOV)
        session.update()
        assert session.status == ""
        found = session.screen()
    wanted = _ideal(lens, _phone(*PHONES[where]), room)
    changed = (found != room).any(axis=2)
    assert changed.sum() > 500
    # Both round picture and screen to 8 bits; a pixel at the border of the square may fall on
    # either side.
    difference = np.abs(found - 255 * wanted).max(axis=2)
    assert (difference > 1.01).sum() <= 4, np.argwhere(difference > 1.01)


@pytest.mark.parametrize("material", [True, False])
def test_a_phone_that_looks_away_shows_its_cameras_picture(material):
    lens = _lens("rays", WIDE, "world")
    files = with_material(lens.files) if material else lens.files
    room = np.random.default_rng(1).integers(0, 256, (96, 54, 3), np.uint8)
    with LensSession(files, screen=(54, 96), camera_image=room) as session:
        session.set_device(_phone(*START), FOV)
        settle(session)
        assert session.cost.runs == 1
        place, yaw, pitch, roll = START
        # The object is right behind it, where its projection would be on the screen again.
        session.set_device(_phone(place, yaw + 180.0, -pitch, roll), FOV)
        session.update()
        assert session.cost.runs == 0
        np.testing.assert_array_equal(session.screen(), room)
        session.set_device(_phone(*START), FOV)
        session.update()
        assert (session.screen() != room).any()
