"""A turntable of which many poses are wrong although all are registered: masks contradict them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mobile_nelf.capturing.checks import silhouette_findings
from mobile_nelf.capturing.intake import Intake, Photo
from mobile_nelf.capturing.model import PosedPhoto
from mobile_nelf.capturing.silhouettes import Silhouette, agreement, contradicting, silhouette
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.scenes import read_scene
from tests.helpers import ROOT

COUNT = 40
#: As many as were wrong, by a fifth or a half turn, of a real reconstruction of 60.
WRONG = 16


@pytest.fixture(scope="module")
def views() -> list[Silhouette]:
    """True masks and poses, in the order in which the object turned."""
    found = []
    for view in read_scene(ROOT / "examples" / "mic").train[:COUNT]:
        lens = view.camera.intrinsics
        true = DistortedLens("SIMPLE_PINHOLE", lens.width, lens.height, (lens.fx, lens.cx, lens.cy))
        posed = PosedPhoto(view.camera.cam_to_world, true, np.zeros(0, np.int64), np.zeros((0, 2)))
        mask = (view.rgba()[..., 3] > 127).astype(np.uint8) * 255
        found.append(silhouette(posed, mask))
    return sorted(found, key=lambda view: np.arctan2(*view.photo.cam_to_world[:2, 3]))


def _turned(view: Silhouette, degrees: float) -> Silhouette:
    angle = np.radians(degrees)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    pose = turn @ view.photo.cam_to_world
    return view._replace(photo=replace(view.photo, cam_to_world=pose))


@pytest.mark.parametrize(("degrees", "named"), [(0.0, False), (180.0, True), (90.0, False)])
def test_a_group_of_photos_that_joined_on_turned_fails_the_capture(views, degrees, named):
    """Two fifths, all turned by the same angle, so that they fit each other and spoil the hull.

    Where they can be told from the rest they are named; else no shape fits the masks at all.
    """
    placed = [_turned(view, degrees) if n < WRONG else view for n, view in enumerate(views)]
    overlap = agreement({f"{number}": view for number, view in enumerate(placed)})
    photos = tuple(Photo(f"{n}", f"{n}.jpg", 0, 1.0, 1.0) for n in range(COUNT))
    said = [finding.level for finding in silhouette_findings(Intake(photos, ()), overlap)]
    assert ("error" in said) is (degrees != 0.0)
    flagged = np.flatnonzero(contradicting(np.array(list(overlap.values()))))
    if named:
        assert set(flagged) <= set(range(WRONG))
        assert len(flagged) >= WRONG - 2
    else:
        assert len(flagged) <= 1
