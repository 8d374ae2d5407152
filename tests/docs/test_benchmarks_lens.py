"""The scripts behind the figures on lenses run, and measure what they say."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

from benchmarks import ray_spacing
from mobile_nelf.checkpoints import save_checkpoint
from tests.helpers import ROOT
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

SCRIPT = ROOT / "benchmarks" / "lens_frame.py"

#: A bicubic filter that changes no size leaves the rounding of float32.
UNCHANGED_DB = 100.0


@needs_node
@pytest.mark.slow
def test_every_arrangement_is_measured(tmp_path):
    """It also compares the pictures of all, and ends with an error where they differ."""
    checkpoint = random_checkpoint(sr_widths=(), activation="relu", ray_width=9, ray_height=7)
    path = tmp_path / "tiny.pt"
    save_checkpoint(checkpoint, path)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(path), "--frames", "1", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    encoder = checkpoint.student.encoder
    rays, coords, side = 9 * 7, 3 * encoder.samples, 9 + 7
    # In float32: pose, points and encoding; columns and rows; camera; six a ray; encoding.
    assert {name: row["written_bytes"] / 4 for name, row in rows.items()} == {
        "template chain": 9 + 3 + rays * coords * (1 + 1 + 2 * encoder.frequencies),
        "factored": side * coords * (1 + 2 * encoder.frequencies),
        "camera": 12,
        "rays": 6 * rays,
        "embedded": rays * coords * (1 + 2 * encoder.frequencies),
    }
    for name, row in rows.items():
        assert row["script_compiled_ms"] > 0.0
        assert (row["helpers_compiled_ms"] > 0.0) == (name == "template chain")


def test_a_stretch_of_one_loses_nothing(tmp_path, monkeypatch):
    """Without a stretch both pictures are the student's own."""
    path = tmp_path / "tiny.pt"
    save_checkpoint(random_checkpoint(sr_widths=(8,), activation="relu"), path)
    monkeypatch.setattr(ray_spacing, "STRETCHES", (1.0, 16 / 9))
    rows = ray_spacing.measure(path, 2)
    assert rows["1.00"]["spaced_worst_db"] > UNCHANGED_DB
    assert rows["1.00"]["shrunken_median_db"] > UNCHANGED_DB
    assert all(math.isfinite(value) for value in rows["1.78"].values())
    assert rows["1.78"]["spaced_median_db"] < UNCHANGED_DB
