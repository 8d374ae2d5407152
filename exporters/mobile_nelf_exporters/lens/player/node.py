"""Node.js on this machine, and how it is started without rights."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from pathlib import Path

from mobile_nelf.errors import MissingToolError

__all__ = ["node_command", "node_path"]

#: The first with a permission model.
OLDEST_MAJOR = 20

#: Bytes of JavaScript objects; arrays of numbers are beyond it.
HEAP_MEGABYTES = 512

VERSION_SECONDS = 20.0


def node_path() -> str | None:
    """Returns where Node.js is; None if it is not installed."""
    return shutil.which("node")


def node_command(script: Path) -> list[str]:
    """Returns the command that runs `script`, which may read the files beside it and nothing else.

    Raises:
        MissingToolError: Node.js is not installed, does not run, or is older than 20.
    """
    node = node_path()
    if node is None:
        raise MissingToolError(
            "lenses run in Node.js, and there is no `node` on the PATH; install Node.js "
            f"{OLDEST_MAJOR} or later"
        )
    version = _version(node)
    if version < (OLDEST_MAJOR, 0):
        raise MissingToolError(
            f"{node}: is Node.js {version[0]}.{version[1]}, which cannot keep scripts from files "
            f"and processes; install Node.js {OLDEST_MAJOR} or later"
        )
    is_stable = version >= (23, 5) or (22, 13) <= version < (23, 0)
    return [
        node,
        "--permission" if is_stable else "--experimental-permission",
        f"--allow-fs-read={script.parent.resolve()}/",
        "--disallow-code-generation-from-strings",
        "--frozen-intrinsics",
        f"--max-old-space-size={HEAP_MEGABYTES}",
        "--no-addons",
        "--no-warnings",
        str(script.resolve()),
    ]


@functools.cache
def _version(node: str) -> tuple[int, int]:
    try:
        done = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS
        )
        found = re.match(r"v(\d+)\.(\d+)\.", done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"{node}: does not run ({error}); install Node.js again") from error
    if found is None:
        raise MissingToolError(f"{node}: does not tell its version; install Node.js again")
    return int(found[1]), int(found[2])
