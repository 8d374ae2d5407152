"""The script behind the figures on lenses runs, and counts the bytes that its sides write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from students_for_tests import random_checkpoint

from mobile_nelf.checkpoints import save_checkpoint

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "lens_frame.py"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None, reason="lenses run in Node.js, and there is no `node` on PATH"
)


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
