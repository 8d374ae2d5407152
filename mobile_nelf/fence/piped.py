"""A fenced process that is spoken to through its pipes, while a clock runs.

What comes from it is foreign: whoever reads bounds the length first.
"""

from __future__ import annotations

import subprocess
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mobile_nelf.errors import BundleError
from mobile_nelf.fence import process as fence

__all__ = ["PipedProcess"]

#: Characters of what a process says when it ends by itself.
LAST_WORDS = 300


class PipedProcess:
    """Ends when it is closed or dropped.

    Attributes:
        process: that runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        who: str,
        program: str,
        cpu_seconds: float,
        memory_bytes: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it and bounds what it may use.

        Args:
            command: program and arguments.
            folder: its working directory.
            who: runs in it, for messages.
            program: that runs it, for messages.
            cpu_seconds: of all its threads.
            memory_bytes: of private memory.
            environment: all of its environment; empty if `None`.
        """
        self._who, self._program = who, program
        self.process = fence.start(command, folder, environment)
        self._end = weakref.finalize(self, fence.end, self.process)
        fence.limit(self.process, cpu_seconds=cpu_seconds, memory_bytes=memory_bytes)

    def close(self) -> None:
        """Ends the process."""
        self._end()

    @contextmanager
    def counted(self, seconds: float, doing: str, allowed: float | None = None) -> Iterator[None]:
        """Ends the process if what is done meanwhile takes too long or is not understood.

        Args:
            seconds: that are left.
            doing: what is done, for messages.
            allowed: seconds in all, for messages; `seconds` if `None`.

        Raises:
            BundleError: time ran out, the process ended, or what it sent is malformed.
        """
        hung = threading.Event()
        # Without `self`: the timer's thread would keep a process alive that was dropped.
        timer = threading.Timer(seconds, _stop, (self.process, hung))
        timer.start()
        try:
            yield
        except (BrokenPipeError, EOFError) as error:
            reason = f"took longer than {seconds if allowed is None else allowed:g} s"
            if not hung.is_set():
                reason = f"ended {self._program}: {_last_words(self.process)}"
            raise BundleError(f"{self._who} {reason} at {doing}") from error
        except (ValueError, RecursionError) as error:
            self.close()
            raise BundleError(
                f"{self._who} sent what is not a message at {doing} ({error})"
            ) from error
        finally:
            timer.cancel()

    def write(self, *parts: bytes) -> None:
        """Sends bytes; raises `EOFError` or `BrokenPipeError` where nobody reads them."""
        pipe = _open(self.process.stdin)
        for part in parts:
            pipe.write(part)
        pipe.flush()

    def read(self, size: int) -> bytes:
        """Returns so many bytes; raises `EOFError` where they end before."""
        data = _open(self.process.stdout).read(size)
        if len(data) != size:
            raise EOFError
        return data


def _stop(process: subprocess.Popen[bytes], hung: threading.Event) -> None:
    hung.set()
    fence.kill(process)


def _last_words(process: subprocess.Popen[bytes]) -> str:
    fence.kill(process)
    said = _open(process.stderr).read().decode(errors="replace")
    return " ".join(said.split())[-LAST_WORDS:] or f"it said nothing, exit code {process.wait()},"


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None or pipe.closed:
        raise EOFError
    return pipe
