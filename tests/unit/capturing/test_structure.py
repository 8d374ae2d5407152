"""Poses of many photos, of which not all pairs are matched."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mobile_nelf.capturing import structure
from mobile_nelf.capturing.intake import Group, Intake, Photo
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.run import capture
from mobile_nelf.progress import silent
from tests.helpers.phone import photo, right_poses, ring, save_turned

#: Photos of a ring, and partners of each: those on the other side show nothing alike.
COUNT, PARTNERS = 16, 3


@pytest.mark.slow
def test_pairs_are_chosen_by_few_features_where_there_are_many_photos(tmp_path, monkeypatch):
    """96 photos were tried like this once; here the limits are lower, and the path the same."""
    monkeypatch.setattr(structure, "MOST_EXHAUSTIVE", 8)
    monkeypatch.setattr(structure, "NEIGHBOURS", PARTNERS)
    cameras = ring(COUNT)
    (tmp_path / "photos").mkdir()
    for number, camera in enumerate(cameras):
        save_turned(photo(camera), tmp_path / "photos" / f"{number}.jpg")
    stages: set[str] = set()
    captured = capture(
        tmp_path / "photos",
        tmp_path / "scene",
        threads=1,
        on_progress=lambda stage, *_: stages.add(stage),
    )
    assert "small matches" in stages
    assert [attempt.what for attempt in captured.tries] == [f"{PARTNERS} partners a photo"]
    assert captured.registered == COUNT
    frames = json.loads((tmp_path / "scene" / "transforms.json").read_text())["frames"]
    found = [np.array(frame["transform_matrix"]) for frame in frames]
    true = [cameras[int(frame["source"].partition(".")[0])].cam_to_world for frame in frames]
    right, rms, angle = right_poses(found, true)
    assert right.all()
    assert rms < 0.006
    assert angle < 0.6


@pytest.mark.parametrize(("still", "unmasked"), [(False, 1), (True, 0)])
def test_a_still_background_never_holds_photos_together(tmp_path, monkeypatch, still, unmasked):
    """Masks that fail are left away for one try, but not where the background stands still."""
    tried = []

    def nothing(job, _):
        tried.append(job)
        return structure._Result((), {}, ())

    monkeypatch.setattr(structure, "_cached", nothing)
    photos = tuple(Photo(f"0/{number}.png", f"{number}.png", 0, 1.0, 1.0) for number in range(4))
    intake = Intake(photos, (Group("", "", 320, 240, None),))
    found = structure.find_structure(
        intake, tmp_path, tmp_path, CaptureOptions(), silent, masks=tmp_path / "m", still=still
    )
    assert found.registered == ()
    assert sum(job.masks is None for job in tried) == unmasked
