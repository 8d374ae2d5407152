"""`mnelf export`: a teacher's file to files of other programs."""

from __future__ import annotations

import json
import re

import pytest
import trimesh

from mobile_nelf.surfaces import surface as surfaces
from tests.helpers.surfaces import saved_teacher


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    monkeypatch.setattr(surfaces, "RESOLUTION", 64)
    return saved_teacher(tmp_path / "t.pt")


def test_a_mesh(mnelf, teacher, tmp_path):
    result = mnelf("export", teacher, "--to", "a.glb", "--count", "500", "--size-cm", "20")
    assert result.exit_code == 0, result.stderr
    assert re.search(r"a.glb, (500|49\d) triangles", result.stdout)
    assert "× 0.2 ×" in result.stdout
    assert "metres, width × height × depth, y up" in result.stdout
    trimesh.load(tmp_path / "a.glb")


def test_points_for_machines(mnelf, teacher, tmp_path):
    result = mnelf("export", teacher, "-o", "points.ply", "--count", "500", "--json")
    found = json.loads(result.stdout)
    assert found["path"] == "points.ply"
    assert found["kind"] == "points"
    assert found["count"] == len(trimesh.load(tmp_path / "points.ply").vertices)
    assert found["in_metres"] is False


def test_an_ending_that_is_not_known(mnelf, teacher):
    result = mnelf("export", teacher, "--to", "a.obj")
    assert result.exit_code == 2
    assert "expected .glb" in result.stderr
    assert result.stderr.rstrip().endswith("(--output)")
