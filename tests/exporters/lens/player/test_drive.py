"""Lenses driven to cameras by fingers and by walking, against slow oracles of where they look."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from mobile_nelf.encoding import encode
from mobile_nelf.errors import BundleError, DeployError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rays import ray_grid, sample_depths, sample_points
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.drive import lens_frame_function, trained_window
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.lenses import Lens, make_lens
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
#: Rays at the border of the ball, which the upsampling layers mix with repeated ones.
BORDER_RAYS = 2


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


def test_the_picture_is_cut_out_of_the_padding():
    lens = _lens("rays", TILTED, "orbit")
    contract = lens.contract
    assert contract.output.shape[2] > contract.student.image_height
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


def test_only_lenses_in_the_room_have_a_window():
    assert trained_window(_lens("rays", WIDE, "orbit").contract) is None
    rows, columns = trained_window(_lens("rays", WIDE, "world").contract)
    assert rows.stop - rows.start > 8
    assert columns.stop - columns.start > 8


def test_a_room_of_too_few_rays_is_refused():
    few = random_checkpoint(sr_widths=(8, 8, 8), ray_width=2, ray_height=2)
    exporter = LensStudioExporter()
    exported = exporter.export(few, "few", Options(experience="world"))
    with pytest.raises(
        DeployError, match=r"covers 1\.\d of them along one axis, expected more than 4"
    ):
        exporter.runtimes(exported.files, exported.contract)


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


def _seen(lens: Lens, pose: np.ndarray) -> tuple[np.ndarray, Camera]:
    """What the student draws for a phone of FOV at a pose, [rows, columns, 4], and its camera.

    Photos look at the target, so that their depths are distances along the line to it; those of a
    phone that looks elsewhere are made to be.
    """
    checkpoint = lens.checkpoint
    student = checkpoint.student
    focal = student.ray_height / 2 / math.tan(math.radians(FOV) / 2)
    camera = Camera(pose, Intrinsics.centred(student.ray_width, student.ray_height, focal))
    away = pose[:, 3] - np.array(checkpoint.orbit.target)
    rays = ray_grid(camera).copy()
    rays[3:] *= pose[:, 2] @ away / np.linalg.norm(away)
    encoder = student.encoder
    points = sample_points(rays, sample_depths(encoder.near, encoder.far, encoder.samples))
    with torch.inference_mode():
        encoded = encode(torch.from_numpy(points)[None], encoder.frequencies).float()
        image = checkpoint.network()(encoded)[0]
    return image.permute(1, 2, 0).numpy(), camera


def _ball_window(lens: Lens, camera: Camera) -> tuple[slice, slice]:
    """Rows and columns of the picture around the ball that photos show, found point by point."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 3))
    points *= lens.contract.ball_radius / np.linalg.norm(points, axis=1, keepdims=True)
    points += np.array(lens.checkpoint.orbit.target) - camera.position
    local = points @ camera.cam_to_world[:, :3]
    lens_of_rays = camera.intrinsics
    columns = lens_of_rays.cx + lens_of_rays.fx * local[:, 0] / -local[:, 2]
    rows = lens_of_rays.cy - lens_of_rays.fy * local[:, 1] / -local[:, 2]
    scale = lens.contract.student.scale

    def inside(values: np.ndarray, size: int) -> slice:
        begin, end = values.min() + BORDER_RAYS, values.max() - BORDER_RAYS
        # Rays beyond the picture are computed by nobody, so that its border is not mixed.
        begin = 0 if values.min() <= 0 else math.ceil(begin)
        end = size if values.max() >= size else math.floor(end)
        return slice(begin * scale, end * scale)

    return inside(rows, lens_of_rays.height), inside(columns, lens_of_rays.width)


PHONES = {
    "where it began": START,
    "rolled": (START[0], 35.0, -20.0, 30.0),
    "looking aside": (START[0], 41.0, -24.0, 5.0),
    "from the left": (np.array([-20.0, 150.0, -35.0]), 12.0, -22.0, 0.0),
    "nearer": (np.array([20.0, 132.0, -35.0]), 34.0, -20.0, 0.0),
    "further": (np.array([40.0, 146.0, -5.0]), 35.0, -20.0, -10.0),
}


@pytest.mark.parametrize(
    ("layout", "where"),
    [
        *(("factored", where) for where in PHONES),
        ("rays", "looking aside"),
        ("embedded", "looking aside"),
    ],
)
def test_a_phone_sees_the_object_over_its_cameras_picture(layout, where):
    lens = _lens(layout, WIDE, "world", 4)
    _, _, rows, columns = lens.contract.output.shape
    room = np.random.default_rng(1).integers(0, 256, (rows, columns, 3), np.uint8)
    with LensSession(lens.files, screen=(columns, rows), camera_image=room) as session:
        session.set_device(_phone(*START), FOV)
        session.start()
        session.update()
        session.set_device(_phone(*PHONES[where]), FOV)
        session.update()
        found = session.texture()
        assert session.status == ""
    assert found is not None
    pose = _in_photos(WIDE, _phone(*PHONES[where]))
    assert WIDE.radius[0] < np.linalg.norm(pose[:, 3] - WIDE.target) < WIDE.radius[1]
    drawn, camera = _seen(lens, pose)
    colour, alpha = drawn[..., :3], drawn[..., 3:]
    background = np.array(lens.contract.background)
    wanted = np.clip(colour + (1 - alpha) * (room / 255.0 - background), 0, 1)
    window = _ball_window(lens, camera)
    assert wanted[window].size > 3 * 60
    assert psnr_db(found[window], wanted[window].astype(np.float32)) > PROVED_DB


def test_a_phone_that_looks_away_shows_its_cameras_picture():
    lens = _lens("rays", WIDE, "world")
    _, _, rows, columns = lens.contract.output.shape
    room = np.random.default_rng(1).integers(0, 256, (rows, columns, 3), np.uint8)
    with LensSession(lens.files, screen=(columns, rows), camera_image=room) as session:
        session.set_device(_phone(*START), FOV)
        session.start()
        session.update()
        session.update()
        assert session.cost.runs == 1
        place, yaw, pitch, roll = START
        # The object is right behind it, where its projection would be on the screen again.
        session.set_device(_phone(place, yaw + 180.0, -pitch, roll), FOV)
        session.update()
        assert session.cost.runs == 0
        assert session.texture() is None
        np.testing.assert_array_equal(session.screen(), room)
        session.set_device(_phone(*START), FOV)
        session.update()
        assert session.texture() is not None
