"""Runs Swift where there is one: the machine's own, or the chroot of `setup_toolchain.sh`."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.helpers import ROOT

HARNESS = ROOT / "ios_harness"
SCRIPT = HARNESS / "linux" / "swift.sh"

#: A cold build and the tests; most of it is the compiler.
TIMEOUT_SECONDS = 900


def toolchain() -> str:
    """`native`, `chroot` or `none`."""
    done = subprocess.run([SCRIPT, "--available"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def run_swift(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, package, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
