"""The notebook that the design promises, in a process of its own and with types."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits
from tests.helpers import ROOT
from tests.helpers.sphere import Sphere

SCRIPT = Path(__file__).with_name("notebook.py")
SIDE = 24
ORBIT = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (-10, 60), (4, 4))


def _write_scene(folder: Path) -> None:
    lens = Intrinsics.centred(SIDE, SIDE, 1.4 * SIDE)
    for split, count in (("train", 8), ("test", 2)):
        (folder / split).mkdir(parents=True)
        frames = []
        for index in range(count):
            pose = ORBIT.pose(360.0 * index / count + 20.0, 10.0 + 30.0 * (index % 2), 4.0)
            picture = Sphere().render(Camera(pose, lens)).rgba8()
            Image.fromarray(picture).save(folder / split / f"r_{index}.png")
            matrix = np.vstack([pose, [0, 0, 0, 1]]).tolist()
            frames.append({"file_path": f"./{split}/r_{index}", "transform_matrix": matrix})
        cameras = {"camera_angle_x": 2 * math.atan(0.5 / 1.4), "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(cameras))


@pytest.mark.slow
def test_the_notebook_runs_as_a_script(tmp_path: Path):
    pytest.importorskip("coremltools")
    _write_scene(tmp_path / "scene")
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("TrainedScene(mic.pt, Checkpoint(D10-SR3 of 24×24, ")
    assert lines[1] == "(24, 24, 3) uint8"
    assert lines[2] == "scene, 24×24, protocol mnelf-white-v1"
    assert lines[4].split()[:2] == ["all", "2"]
    assert "Bundle(mic-coreml, Manifest(mic-coreml for coreml, D10-SR3, " in done.stdout
    assert "mic-coreml: passed" in lines
    assert sum("palette6" in line for line in lines) > 0
    assert lines[-1].startswith("mic.pt: is an input of this command")


def test_the_notebook_is_typed():
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(SCRIPT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
