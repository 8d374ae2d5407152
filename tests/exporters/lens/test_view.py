"""How large an object is in the room, and smaller grids of rays."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.deploy.contract import shown_ball_radius
from mobile_nelf.deploy.room import ObjectSpan
from mobile_nelf.errors import InputError
from mobile_nelf.export.options import make_options
from mobile_nelf.export.targets import target_options
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.view import (
    WORLD_DISTANCE_CM,
    RoomSize,
    smaller_checkpoint,
)
from tests.helpers.lens.contracts import lens_contract
from tests.helpers.students import random_checkpoint

SMALL_MODEL = "lens_project/Assets/small.onnx"


def _checkpoint(columns: int, rows: int):
    """A student of a ×2 stage on a grid of rays."""
    return random_checkpoint(sr_widths=(8,), ray_width=columns, ray_height=rows)


def test_the_true_size_is_the_default_where_it_is_known():
    contract = lens_contract("rays")
    radius = sum(contract.orbit.radius) / 2
    usual = RoomSize.of(contract)
    assert usual.units_per_cm == pytest.approx(radius / WORLD_DISTANCE_CM)
    known = replace(contract, metres_per_unit=0.2)
    true = RoomSize.of(known)
    assert true.units_per_cm == pytest.approx(1 / 20)
    assert true.distance_cm == pytest.approx(20 * radius)
    chosen = RoomSize.of(known, 30.0, ObjectSpan(0.5, 1.0, 0.7))
    assert chosen.units_per_cm == pytest.approx(1.5 / 30)
    # Photos of a small thing are taken from nearer than anybody wants it to begin.
    assert RoomSize.of(replace(contract, metres_per_unit=0.02)).distance_cm == 40.0


def test_the_smaller_grid_sees_the_same_with_half_the_rays():
    checkpoint = _checkpoint(50, 40)
    small = smaller_checkpoint(checkpoint)
    assert (small.student.ray_width, small.student.ray_height) == (35, 28)
    own, lens = checkpoint.intrinsics, small.intrinsics
    assert lens.width / lens.fx == pytest.approx(own.width / own.fx)
    assert lens.height / lens.fy == pytest.approx(own.height / own.fy)


def test_the_ball_touches_the_nearest_border():
    checkpoint = _checkpoint(50, 40)
    checkpoint = replace(checkpoint, intrinsics=Intrinsics(100, 80, 150.0, 160.0, 45.0, 42.0))
    # Rows: 38 of 160 below the centre. A tangent cone of that half angle round a ball at 4.
    angle = math.atan(38.0 / 160.0)
    assert shown_ball_radius(checkpoint) == pytest.approx(4.0 * math.sin(angle))


def _export(checkpoint, **options):
    return LensStudioExporter().export(checkpoint, "Mic", Options(**options))


def test_a_student_that_fills_the_budget_has_no_smaller_picture():
    large = random_checkpoint(depth=40, width=304, sr_widths=(8,), activation="relu")
    exported = _export(large)
    assert SMALL_MODEL not in exported.files
    assert exported.references == {}
    inspection = LensStudioExporter().inspect(exported.files)
    assert 5e6 < inspection.bytes_on_device < inspection.budget == 10e6


def test_the_size_counts_both_models():
    exported = _export(random_checkpoint(sr_widths=(8,), activation="relu"))
    assert SMALL_MODEL in exported.files
    both = LensStudioExporter().inspect(exported.files).bytes_on_device
    alone = {path: data for path, data in exported.files.items() if path != SMALL_MODEL}
    assert both > 1.9 * LensStudioExporter().inspect(alone).bytes_on_device


@pytest.mark.parametrize("target", ["onnx", "web"])
def test_other_targets_have_no_experience(target):
    with pytest.raises(InputError, match=f"target {target} has no option experience; it has "):
        make_options(target, target_options(target), {"experience": "orbit"})
