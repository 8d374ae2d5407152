"""Optional dependencies that are imported late."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal
from mobile_nelf.extras import import_extra

def told(number, frame):
    print("told", flush=True)

signal.signal(signal.SIGTERM, told)
import_extra("pycolmap", "capture")
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_library_does_not_keep_the_signal_that_ends_commands():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "told\n", "")
