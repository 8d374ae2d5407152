"""Poses that are wrong although every photo has one: `mnelf capture` and `mnelf train` end with 1.

A reconstruction of a turntable had 60 of 60 photos, 24 of which were turned about the axis. It is
put where the first command left its work, as good as one can be: all photos share all points,
which lie on their pixels exactly. So nothing but the masks can tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image

from mobile_nelf.capturing.child import JOB
from mobile_nelf.capturing.run import INTAKE, TRIES, capture
from mobile_nelf.capturing.sfm import MODEL, RESULT
from mobile_nelf.runs import run_folder
from mobile_nelf.scenes import Scene, read_scene
from tests.helpers import ROOT

COUNT, WRONG = 60, 24
POINTS = 300
SEED = 5


def scattered() -> dict[int, float]:
    """As first seen: turned by 3° to 174°, anywhere in the order."""
    rng = np.random.default_rng(SEED)
    return {int(n): rng.uniform(3, 174) for n in rng.choice(COUNT, WRONG, replace=False)}


def in_a_row(scene: Scene, degrees: float) -> dict[int, float]:
    """A group from one side that joined on turned."""
    places = np.stack([view.camera.position for view in scene.train[:COUNT]])
    order = np.argsort(np.arctan2(places[:, 1], places[:, 0]))
    return {int(number): degrees for number in order[:WRONG]}


def interrupted_with(scene: Scene, turns: Mapping[int, float], photos: Path, output: Path) -> None:
    """Leaves the work of a capture behind, in which poses are found already, some of them wrong."""
    photos.mkdir()
    views = scene.train[:COUNT]
    for number, view in enumerate(views):
        Image.fromarray(view.rgba()).save(photos / f"{number:02d}.png")

    def at_features(stage: str, done: int, total: int) -> None:
        if stage == "features":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(photos, output, on_progress=at_features)
    work = run_folder(output)
    names = [photo["name"] for photo in json.loads((work / INTAKE).read_text())["intake"]["photos"]]
    job = work / TRIES / "first"
    assert (job / JOB).exists()
    write_model(views, turns, names, job / MODEL)
    told = {"features": 4 * POINTS, "partners": COUNT - 1, "matches": COUNT * POINTS}
    pairs = [[a, b] for place, a in enumerate(names) for b in names[place + 1 :]]
    result = {"models": [names], "photos": dict.fromkeys(names, told), "pairs": pairs}
    (job / RESULT).write_text(json.dumps(result))


def write_model(views, turns: Mapping[int, float], names: list[str], folder: Path) -> None:
    lens = views[0].camera.intrinsics
    points = np.random.default_rng(SEED).uniform(-0.5, 0.5, (POINTS, 3))
    made = pycolmap.Reconstruction()
    made.add_camera_with_trivial_rig(
        pycolmap.Camera(
            camera_id=1, model="PINHOLE", width=lens.width, height=lens.height,
            params=[lens.fx, lens.fy, lens.cx, lens.cy],
        )
    )  # fmt: skip
    for number, (name, view) in enumerate(zip(names, views, strict=True)):
        a = np.radians(turns.get(number, 0.0))
        turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
        pose = turn @ view.camera.cam_to_world
        rotation = (pose[:, :3] @ np.diag([1.0, -1.0, -1.0])).T
        from_world = np.concatenate([rotation, -rotation @ pose[:, 3:]], 1)
        local = points @ rotation.T + from_world[:, 3]
        pixels = local[:, :2] / local[:, 2:] * [lens.fx, lens.fy] + [lens.cx, lens.cy]
        shown = pycolmap.Point2DList([pycolmap.Point2D(pixel) for pixel in pixels])
        image = pycolmap.Image(name=name, camera_id=1, image_id=number + 1, points2D=shown)
        made.add_image_with_trivial_frame(image, pycolmap.Rigid3d(from_world))
    for number, point in enumerate(points):
        track = [pycolmap.TrackElement(index + 1, number) for index in range(len(names))]
        made.add_point3D(point, pycolmap.Track(track), np.full(3, 128, np.uint8))
    folder.mkdir(parents=True)
    made.update_point_3d_errors()
    made.write_binary(folder)


@pytest.mark.parametrize(
    "case",
    [
        "3° to 174°",
        pytest.param("180°", marks=pytest.mark.slow),
        pytest.param("90°", marks=pytest.mark.slow),
        pytest.param("none", marks=pytest.mark.slow),
    ],
)
def test_wrong_poses_with_every_photo_registered_fail(mnelf, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)  # paths are part of what says that the work is the same
    scene = read_scene(ROOT / "examples" / "mic")
    turns = {
        "3° to 174°": scattered(),
        "180°": in_a_row(scene, 180.0),
        "90°": in_a_row(scene, 90.0),
        "none": {},
    }[case]
    interrupted_with(scene, turns, Path("photos"), Path("mic.pt.scene"))
    result = mnelf("capture", "photos", "-o", "mic.pt.scene")
    assert f"{COUNT} of {COUNT} have a pose" in result.stdout, result.output
    assert result.exit_code == (1 if turns else 0), result.output
    if not turns:
        return
    said = " ".join(result.stdout.split())
    assert "masks contradict the shape that the others carve" in said or (
        "masks overlap the shape that all of them carve by" in said
    )
    assert "fold" not in said
    # A training stops with the verdict, and says how to go on all the same.
    result = mnelf("train", "photos", "-o", "mic.pt")
    assert result.exit_code == 1
    assert "mic.pt.scene: 60 of 60 photos have a pose; look at" in result.stderr
    assert "error: " in result.stderr
    assert "all the same: mnelf train mic.pt.scene -o mic.pt" in result.stderr
    assert not (tmp_path / "mic.pt").exists()
