"""Splats: where they lie, their files, and the renderer that judges them."""

from __future__ import annotations

import gzip
import struct
from dataclasses import replace

import numpy as np
import pytest
import trimesh

import mobile_nelf as mn
from mobile_nelf.cameras import Camera, Intrinsics, look_at
from mobile_nelf.errors import InputError
from mobile_nelf.surfaces import surface as surfaces
from mobile_nelf.surfaces.frames import Y_DOWN, Y_UP
from mobile_nelf.surfaces.splat_files import read_splats, write_splats
from mobile_nelf.surfaces.splats import Splats, turned
from mobile_nelf.surfaces.splatting import AT_ONCE, _matrices, draw_splats
from mobile_nelf.teachers.files import TrainedTeacher
from tests.helpers.ball import RADIUS, around, scene_of
from tests.helpers.surfaces import CENTRE, ball_teacher

#: What 8 bits of SPZ tell: position, scale and colour to half a step, and a quaternion.
SPZ_ERRORS = {"centres": 2e-4, "scales": 0.033, "opacity": 0.003, "colours": 0.008, "turn": 0.03}


HEAD = b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nend_header\n"


def spz_head(version: int, count: int, degree: int) -> bytes:
    return gzip.compress(
        struct.pack("<4sIIBBBB", b"NGSP", version, count, degree, 9, 0, 0), mtime=0
    )


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(surfaces, "RESOLUTION", 64)


def some_splats(count: int = 40, seed: int = 0) -> Splats:
    rng = np.random.default_rng(seed)
    turns = rng.normal(size=(count, 4))
    return Splats(
        rng.uniform(-0.6, 0.6, (count, 3)),
        np.exp(rng.uniform(-4.0, -1.5, (count, 3))),
        turns / np.linalg.norm(turns, axis=1, keepdims=True),
        rng.uniform(0.05, 0.98, count).astype(np.float32),
        rng.random((count, 3)).astype(np.float32),
    )


def covariances(splats: Splats) -> np.ndarray:
    half = _matrices(splats.rotations) * splats.scales[:, None]
    return half @ half.transpose(0, 2, 1)


@pytest.mark.parametrize("frame", [Y_UP, Y_DOWN], ids=["up", "down"])
def test_turning_turns_centres_and_axes(frame):
    splats = some_splats()
    there = turned(splats, frame, 3.0)
    assert there.centres == pytest.approx(3.0 * splats.centres @ frame.T)
    assert covariances(there) == pytest.approx(9.0 * frame @ covariances(splats) @ frame.T)


def test_a_splat_is_flat_on_the_surface_and_as_wide_as_its_neighbours_are_apart(tmp_path):
    done = mn.export_teacher(TrainedTeacher(ball_teacher()), tmp_path / "splat.ply", count=800)
    splats = read_splats(done.path)
    assert len(splats.centres) == done.count
    outwards = splats.centres - CENTRE
    outwards /= np.linalg.norm(outwards, axis=1, keepdims=True)
    thin = _matrices(splats.rotations)[:, :, 2]
    assert np.abs((thin * outwards).sum(1)).min() > 0.8
    spacing = np.sqrt(4.0 * np.pi * RADIUS**2 / done.count)
    assert splats.scales[:, :2] == pytest.approx(0.5 * spacing, rel=0.1)
    assert splats.scales[:, 2] == pytest.approx(0.05 * spacing, rel=0.1)
    assert splats.colours == pytest.approx(0.5 + 0.4 * outwards, abs=0.03)


@pytest.mark.parametrize("spots", ["sparse", "dense"])
def test_the_renderer_is_the_sum_that_the_paper_writes(spots, monkeypatch):
    """Pixel by pixel and splat by splat, in loops; also where pixels come in portions."""
    splats = some_splats(60 if spots == "dense" else 6)
    if spots == "dense":
        monkeypatch.setattr("mobile_nelf.surfaces.splatting.AT_ONCE", 500)
    camera = Camera(look_at((0.5, -3.0, 0.7), (0, 0, 0)), Intrinsics(24, 20, 30.0, 28.0, 11.0, 9.5))
    expected = np.ones((20, 24, 3))
    axes = camera.cam_to_world[:, :3] * [1.0, -1.0, -1.0]
    local = (splats.centres - camera.position) @ axes
    matrices = covariances(splats)
    lens = camera.intrinsics
    for row in range(20):
        for column in range(24):
            light, colour = 1.0, np.zeros(3)
            for index in np.argsort(local[:, 2]):
                x, y, z = local[index]
                jacobian = np.array(
                    [[lens.fx / z, 0, -lens.fx * x / z**2], [0, lens.fy / z, -lens.fy * y / z**2]]
                )
                flat = jacobian @ axes.T @ matrices[index] @ axes @ jacobian.T + 0.3 * np.eye(2)
                off = np.array([column + 0.5, row + 0.5])
                off -= [lens.cx + lens.fx * x / z, lens.cy + lens.fy * y / z]
                power = -0.5 * off @ np.linalg.solve(flat, off)
                alpha = min(0.99, splats.opacity[index] * np.exp(power))
                if alpha >= 1.0 / 255.0:
                    colour += light * alpha * splats.colours[index]
                    light *= 1.0 - alpha
            expected[row, column] = colour + light
    found = draw_splats(splats, camera)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-5)
    assert found.min() < 0.9


def test_splats_behind_the_camera_or_beside_the_picture_are_not_drawn():
    splats = some_splats()
    away = Camera(look_at((0, -3.0, 0), (0, -6.0, 0)), Intrinsics.centred(16, 16, 20.0))
    assert np.array_equal(draw_splats(splats, away), np.ones((16, 16, 3), np.float32))
    aside = Camera(look_at((0, -3.0, 0), (20.0, -3.0, 1.0)), Intrinsics.centred(16, 16, 60.0))
    assert draw_splats(splats, aside).min() > 0.99
    assert AT_ONCE > 16 * 16


def test_a_ply_is_what_another_reader_finds(tmp_path):
    splats = some_splats()
    write_splats(tmp_path / "a.ply", splats, 2.0, "lengths in halves")
    rows = trimesh.load(tmp_path / "a.ply").metadata["_ply_raw"]["vertex"]["data"]

    def column(name: str) -> np.ndarray:
        return np.asarray(rows[name], np.float64).reshape(-1)

    # The names and activations of the reference code: x, −z, y of the world.
    world = splats.centres
    assert column("x") == pytest.approx(2.0 * world[:, 0], rel=1e-6)
    assert column("y") == pytest.approx(-2.0 * world[:, 2], rel=1e-6)
    assert column("z") == pytest.approx(2.0 * world[:, 1], rel=1e-6)
    assert 1.0 / (1.0 + np.exp(-column("opacity"))) == pytest.approx(splats.opacity, abs=1e-6)
    assert np.exp(column("scale_1")) == pytest.approx(2.0 * splats.scales[:, 1], rel=1e-5)
    assert 0.5 + 0.28209479177387814 * column("f_dc_2") == pytest.approx(
        splats.colours[:, 2], abs=1e-6
    )
    head = (tmp_path / "a.ply").read_bytes()[:300]
    assert b"not trained" in head
    assert b"lengths in halves" in head


@pytest.mark.parametrize("name", ["a.ply", "a.spz"])
def test_splats_come_back(tmp_path, name):
    splats = some_splats(300)
    write_splats(tmp_path / name, splats, 1.0, "")
    back = read_splats(tmp_path / name)
    errors = SPZ_ERRORS if name.endswith("z") else dict.fromkeys(SPZ_ERRORS, 1e-5)
    assert back.centres == pytest.approx(splats.centres, abs=errors["centres"])
    assert np.log(back.scales) == pytest.approx(np.log(splats.scales), abs=errors["scales"])
    assert back.opacity == pytest.approx(splats.opacity, abs=errors["opacity"])
    assert back.colours == pytest.approx(splats.colours, abs=errors["colours"])
    same = np.abs((back.rotations * splats.rotations).sum(1))
    assert same.min() > 1.0 - errors["turn"]


def test_an_spz_is_as_its_specification_says(tmp_path):
    """One splat by hand."""
    splat = Splats(
        np.array([[0.5, -0.25, 0.125]]),
        np.exp([[-4.0, -5.0, -6.0]]),
        np.array([[1.0, 0.0, 0.0, 0.0]]),
        np.array([0.6], np.float32),
        np.array([[0.5, 0.5, 0.5]], np.float32),
    )
    write_splats(tmp_path / "a.spz", splat, 1.0, "")
    content = gzip.decompress((tmp_path / "a.spz").read_bytes())
    magic, version, count, degree, bits, flags, reserved = struct.unpack_from("<IIIBBBB", content)
    assert (magic, version, count, degree, flags, reserved) == (0x5053474E, 2, 1, 0, 0, 0)
    assert len(content) == 16 + 9 + 1 + 3 + 3 + 3
    # x, z, −y of the world, in 24 bits.
    thirds = (content[first : first + 3] for first in (16, 19, 22))
    place = [int.from_bytes(third, "little", signed=True) for third in thirds]
    assert np.array(place) / 2**bits == pytest.approx([0.5, 0.125, 0.25])
    assert content[25] == round(0.6 * 255)
    assert tuple(content[26:29]) in ((127,) * 3, (128,) * 3)  # a coefficient of 0
    assert tuple(content[29:32]) == (96, 80, 64)
    # A quarter turn about x, backwards: −√½ of ±1 in 255 steps.
    assert tuple(content[32:35]) == (round(127.5 - 127.5 * np.sqrt(0.5)), 128, 128)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.ply", b"nothing", "does not begin with the header of a PLY"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "is not a binary PLY"),
        (
            "a.ply",
            HEAD.replace(b"vertex 1", b"vertex 9"),
            "ends after 0 of its 9 vertices",
        ),
        (
            "a.ply",
            HEAD + b"0000",
            "is not a file of splats, it has no y, z",
        ),
        ("a.spz", b"nothing", "is not a whole file of splats"),
        ("a.spz", gzip.compress(b"nothing at all and more", mtime=0), "is not a file of splats"),
        ("a.spz", spz_head(4, 1, 0), "version 4"),
        ("a.spz", spz_head(2, 1, 3), "degree 3"),
        ("a.spz", spz_head(2, 0, 0), "holds 0"),
        ("a.spz", spz_head(2, 5, 0), "ends before"),
    ],
)
def test_files_that_are_not_splats_are_refused(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_splats(tmp_path / name)


def test_splats_are_judged_as_everything_else_is(tmp_path):
    scene = scene_of(tmp_path, around(3))
    teacher = TrainedTeacher(ball_teacher())
    done = mn.export_teacher(teacher, tmp_path / "splat.spz", count=3000)
    found = mn.evaluate(done.path, scene)
    # The ball of the teacher lies a little beside that of the photos.
    assert 10.0 < found.subsets["all"].mean.psnr_db < 30.0
    small = mn.export_teacher(teacher, tmp_path / "small.spz", count=300, size_cm=10.0)
    with pytest.raises(InputError, match="without size_cm"):
        mn.evaluate(small.path, scene)


def test_splats_of_a_scene_in_metres_find_back_into_its_world(tmp_path):
    scene = scene_of(tmp_path, around(3))
    teacher = TrainedTeacher(ball_teacher())
    plain = mn.export_teacher(teacher, tmp_path / "plain-splat.ply", count=500)
    known = replace(teacher, metres_per_unit=0.05)
    metres = mn.export_teacher(known, tmp_path / "splat-metres.ply", kind="splat", count=500)
    assert metres.in_metres
    assert metres.size == pytest.approx([0.05 * side for side in plain.size])
    true = mn.evaluate(metres.path, replace(scene, metres_per_unit=0.05))
    assert true.subsets["all"].mean.psnr_db == pytest.approx(
        mn.evaluate(plain.path, scene).subsets["all"].mean.psnr_db, abs=1e-3
    )
