"""Which rays a lens computes: padding to a phone, grids for the room, smaller grids."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.deploy.contract import shown_ball_radius
from mobile_nelf.deploy.room import ObjectSpan
from mobile_nelf.errors import DeployError, InputError
from mobile_nelf.export.options import make_options
from mobile_nelf.export.targets import target_options
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.view import (
    PHONE_FOV_DEG,
    SCREEN_ASPECT,
    WORLD_DISTANCE_CM,
    RoomSize,
    orbit_size,
    smaller_checkpoint,
    world_checkpoint,
)
from tests.helpers.lens.contracts import lens_contract
from tests.helpers.students import random_checkpoint

SMALL_MODEL = "lens_project/Assets/small.onnx"


def _checkpoint(columns: int, rows: int, squeezed: float = 1.0):
    """A student of a ×2 stage on a grid of rays, pixels `squeezed` times as wide as high."""
    checkpoint = random_checkpoint(sr_widths=(8,), ray_width=columns, ray_height=rows)
    lens = checkpoint.intrinsics
    return replace(checkpoint, intrinsics=replace(lens, fx=lens.fx / squeezed))


@pytest.mark.parametrize(
    ("columns", "rows", "squeezed"),
    [(50, 50, 1.0), (50, 40, 1.0), (60, 50, 1.0), (30, 60, 1.0), (50, 50, 1.25), (20, 90, 1.0)],
)
def test_the_output_has_the_aspect_of_a_phone(columns, rows, squeezed):
    checkpoint = _checkpoint(columns, rows, squeezed)
    height, width = orbit_size(checkpoint)
    own = checkpoint.student.image_height, checkpoint.student.image_width
    assert height >= own[0]
    assert width >= own[1]
    assert height == own[0] or width == own[1], "one side stays"
    assert (height - own[0]) % 2 == (width - own[1]) % 2 == 0, "the picture is centred"
    lens = checkpoint.intrinsics
    aspect = (width / lens.fx) / (height / lens.fy)
    # Two pixels are the smallest step.
    assert aspect == pytest.approx(SCREEN_ASPECT, abs=2 / min(height, width))


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


def test_in_the_room_rays_are_as_far_apart_as_in_training():
    checkpoint = _checkpoint(50, 50)
    room = world_checkpoint(checkpoint)
    trained, lens = checkpoint.intrinsics, room.intrinsics
    assert (lens.fx, lens.fy) == (trained.fx, trained.fy)
    seen = 2.0 * math.degrees(math.atan(lens.height / (2.0 * lens.fy)))
    assert seen == pytest.approx(PHONE_FOV_DEG, abs=1.0)
    assert lens.width / lens.height == pytest.approx(SCREEN_ASPECT, rel=0.05)
    assert (lens.width, lens.height) == (room.student.image_width, room.student.image_height)
    assert room.weights_sha256() == checkpoint.weights_sha256()


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


def test_the_room_needs_rays_that_can_be_held_back():
    with pytest.raises(DeployError, match="layout camera makes its rays inside the model"):
        _export(random_checkpoint(), experience="world", layout="camera")
    assert _export(random_checkpoint(), experience="world").contract.layout != "camera"


@pytest.mark.parametrize("target", ["onnx", "web"])
def test_other_targets_have_no_experience(target):
    with pytest.raises(InputError, match=f"target {target} has no option experience; it has "):
        make_options(target, target_options(target), {"experience": "orbit"})
