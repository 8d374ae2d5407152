"""Child processes for what may be hostile: a group of their own, an empty environment, limits.

Limits are set from outside, right after the start and before anything foreign is sent, because code
between fork and exec can deadlock where this process has threads. Only Linux can do that; elsewhere
the child's own limits and the caller's clock remain.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["end", "kill", "limit", "seal", "start"]


def start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a process with three pipes, in a session of its own.

    Args:
        command: program and arguments.
        folder: its working directory.
        environment: all of its environment; empty if `None`.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=dict(environment or {}),
        start_new_session=True,
    )


def limit(process: subprocess.Popen[bytes], *, cpu_seconds: float, memory_bytes: int) -> None:
    """Bounds what a process may use from now on; it writes no file and leaves no core.

    Args:
        process: that `start` returned.
        cpu_seconds: of all its threads, since it began.
        memory_bytes: of private memory.
    """
    if sys.platform == "linux":
        import resource

        seconds = int(cpu_seconds) + 1
        _set(process, resource.RLIMIT_CPU, seconds)
        _set(process, resource.RLIMIT_DATA, memory_bytes)
        _set(process, resource.RLIMIT_FSIZE, 0)
        _set(process, resource.RLIMIT_CORE, 0)


def seal(process: subprocess.Popen[bytes], *, threads: bool = False) -> None:
    """Takes away what a process that has started does not need.

    Without a descriptor there is no file, socket, pipe or terminal, hence no child either.

    Args:
        process: that `start` returned.
        threads: leave it the right to start threads, which the kernel counts as processes.
    """
    if sys.platform == "linux":
        import resource

        _set(process, resource.RLIMIT_NOFILE, 0)
        if not threads:
            _set(process, resource.RLIMIT_NPROC, 0)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and its children, and closes the pipes."""
    kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        # What was not sent cannot be sent any more.
        with contextlib.suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and its children."""
    if sys.platform == "win32":
        process.kill()
        return
    # A group outlives its leader as long as one child lives.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _set(process: subprocess.Popen[bytes], kind: int, value: int) -> None:
    if sys.platform == "linux":
        import resource

        with contextlib.suppress(ProcessLookupError):  # it has ended already
            hard = resource.prlimit(process.pid, kind)[1]
            ceiling = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(process.pid, kind, (ceiling, ceiling))
