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
    assert "metres, width × height × depth" in result.stdout
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


def test_splats_are_said_to_be_untrained(mnelf, teacher):
    result = mnelf("export", teacher, "--to", "splat.spz", "--count", "200")
    assert result.exit_code == 0, result.stderr
    assert "placed in closed form, not trained" in result.stdout


def test_a_ply_without_a_word_in_its_name(mnelf, teacher):
    result = mnelf("export", teacher, "--to", "a.ply")
    assert result.exit_code == 2
    assert "holds points or splat; put one of these words into its name" in result.stderr
    assert mnelf("export", teacher, "--to", "a.ply", "--kind", "splat").exit_code == 0
