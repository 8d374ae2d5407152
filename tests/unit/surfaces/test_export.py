"""Exports of a teacher, read back by another program's reader."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import trimesh

import mobile_nelf as mn
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.surfaces import surface as surfaces
from mobile_nelf.surfaces.frames import Y_UP
from mobile_nelf.surfaces.glb import write_glb
from mobile_nelf.teachers.files import TrainedTeacher
from tests.helpers.ball import RADIUS
from tests.helpers.surfaces import CENTRE, ball_teacher


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    monkeypatch.setattr(surfaces, "RESOLUTION", 64)


@pytest.fixture
def teacher() -> TrainedTeacher:
    return TrainedTeacher(ball_teacher())


def mesh_in(path) -> trimesh.Trimesh:
    (mesh,) = trimesh.load(path, process=False).geometry.values()
    return mesh


def test_a_mesh_is_what_another_reader_finds(teacher, tmp_path):
    done = mn.export_teacher(teacher, tmp_path / "ball.glb", count=2000)
    mesh = mesh_in(done.path)
    assert done.kind == "mesh"
    assert done.count == len(mesh.faces) <= 2000
    assert done.bytes == done.path.stat().st_size
    assert np.linalg.norm(mesh.vertices - Y_UP @ CENTRE, axis=1) == pytest.approx(RADIUS, abs=0.04)
    assert mesh.volume > 0.0  # triangles and normals point outwards
    outwards = (mesh.vertices - Y_UP @ CENTRE) / RADIUS
    assert (mesh.vertex_normals * outwards).sum(1).min() > 0.9
    # Colours are in linear light there, and of the world that is z up.
    srgb = 0.5 + 0.4 * outwards @ Y_UP
    stored = np.asarray(mesh.visual.vertex_attributes["color"], np.float64)
    stored = stored[:, :3] / (65535.0 if stored.max() > 1.0 else 1.0)
    back = np.where(stored <= 0.0031308, 12.92 * stored, 1.055 * stored ** (1 / 2.4) - 0.055)
    assert back == pytest.approx(srgb, abs=0.05)


def test_a_file_in_metres_is_as_high_as_was_said(teacher, tmp_path):
    done = mn.export_teacher(teacher, tmp_path / "ball.glb", size_cm=25.0)
    low, high = mesh_in(done.path).bounds
    assert high[1] - low[1] == pytest.approx(0.25, abs=1e-6)
    assert high - low == pytest.approx(0.25, rel=0.05)
    assert done.size[1] == pytest.approx(0.25)
    assert done.in_metres


def test_the_container_is_as_the_standard_says(tmp_path):
    """Chunks, lengths and alignment; a reader may be lenient about them."""
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    up = np.tile([0.0, 0, 1], (3, 1))
    colours = np.array([[0.0, 0.5, 1.0]] * 3, np.float32)
    write_glb(tmp_path / "a.glb", corners, up, colours, np.array([[0, 1, 2]]))
    content = (tmp_path / "a.glb").read_bytes()
    magic, version, whole, text_bytes, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, whole, kind) == (b"glTF", 2, len(content), b"JSON")
    document = json.loads(content[20 : 20 + text_bytes])
    binary_bytes, kind = struct.unpack_from("<I4s", content, 20 + text_bytes)
    assert kind == b"BIN\0"
    assert binary_bytes == len(content) - 28 - text_bytes == document["buffers"][0]["byteLength"]
    for view in document["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
        assert view["byteOffset"] + view["byteLength"] <= binary_bytes
    assert document["accessors"][0]["max"] == [1.0, 1.0, 0.0]
    start = 28 + text_bytes + document["bufferViews"][2]["byteOffset"]
    # 0.5 of sRGB is 0.2140 of the light.
    assert struct.unpack_from("<4H", content, start) == (0, 14027, 65535, 65535)


def test_more_vertices_than_two_bytes_count(tmp_path):
    count = (1 << 16) + 2
    points = np.random.default_rng(0).random((count, 3))
    faces = np.arange(count).reshape(-1, 3)
    write_glb(tmp_path / "a.glb", points, points, points.astype(np.float32), faces)
    assert np.array_equal(mesh_in(tmp_path / "a.glb").faces, faces)


def test_points_are_what_another_reader_finds(teacher, tmp_path):
    done = mn.export_teacher(teacher, tmp_path / "ball-points.ply", count=900)
    cloud = trimesh.load(done.path)
    rows = cloud.metadata["_ply_raw"]["vertex"]["data"]
    assert done.kind == "points"
    assert 800 < done.count == len(cloud.vertices) <= 900
    outwards = (cloud.vertices - Y_UP @ CENTRE) / RADIUS
    assert np.linalg.norm(outwards, axis=1) == pytest.approx(1.0, abs=0.05)
    normals = np.stack([rows[name].reshape(-1) for name in ("nx", "ny", "nz")], 1)
    assert (normals * outwards).sum(1).min() > 0.9
    srgb = 0.5 + 0.4 * outwards @ Y_UP
    assert cloud.colors[:, :3] / 255.0 == pytest.approx(srgb, abs=0.03)
    assert b"comment y up, lengths in units of the scene's world" in done.path.read_bytes()[:200]


def test_the_same_teacher_gives_the_same_bytes(teacher, tmp_path):
    first = mn.export_teacher(teacher, tmp_path / "points.ply", count=300).path.read_bytes()
    again = mn.export_teacher(teacher, tmp_path / "points.ply", count=300, force=True)
    assert again.path.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("a.obj", {}, "its ending tells the format; expected .glb for mesh"),
        ("points.ply", {"kind": "mesh"}, "kind mesh is written as .glb"),
        ("a.glb", {"kind": "points"}, "kind points is written as .ply"),
        ("a.glb", {"count": 0}, "count is 0"),
        ("a.glb", {"count": 3_000_000}, "expected 1 to 2000000"),
        ("a.glb", {"size_cm": 0.0}, "size_cm is 0"),
        ("a.glb", {"size_cm": float("nan")}, "size_cm is nan"),
    ],
)
def test_what_cannot_be_written_is_refused(teacher, tmp_path, name, options, words):
    with pytest.raises(InputError, match=words):
        mn.export_teacher(teacher, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept(teacher, tmp_path):
    (tmp_path / "a.glb").write_bytes(b"work")
    with pytest.raises(OutputError, match="exists already"):
        mn.export_teacher(teacher, tmp_path / "a.glb")
    assert (tmp_path / "a.glb").read_bytes() == b"work"
