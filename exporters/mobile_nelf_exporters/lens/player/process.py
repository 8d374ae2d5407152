"""The Node.js process in which the scripts of a lens run, and the messages to and from it."""

from __future__ import annotations

import contextlib
import json
import struct
import subprocess
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError

__all__ = ["LensProcess", "Message"]

Floats = npt.NDArray[np.float32]
Message = tuple[dict[str, Any], Sequence[Floats]]

#: Characters of what Node.js says when it ends by itself.
LAST_WORDS = 300


class LensProcess:
    """Talks in the messages of `node/pipe.js`. Ends when it is closed or dropped.

    Attributes:
        process: Node.js.
    """

    def __init__(self, node: str, script: Path) -> None:
        """Starts `script` in the Node.js at `node`."""
        self.process = subprocess.Popen(
            [node, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._end = weakref.finalize(self, _end, self.process)

    def exchange(
        self,
        header: dict[str, Any],
        answer: Callable[[dict[str, Any], list[Floats]], Message],
        seconds: float,
    ) -> tuple[dict[str, Any], list[Floats]]:
        """Sends a command, answers requests until it is done, and returns the result.

        Args:
            header: has the `command`.
            answer: takes header and arrays of a request, gives those of its answer.
            seconds: after which the process is ended.

        Raises:
            BundleError: the process ended.
        """
        hung = threading.Event()
        # Without `self`: the timer's thread would keep a process alive that was dropped.
        timer = threading.Timer(seconds, _stop, (self.process, hung))
        timer.start()
        try:
            self._write(header, ())
            while True:
                received, arrays = self._read()
                if "request" not in received:
                    return received, arrays
                self._write(*answer(received, arrays))
        except (BrokenPipeError, EOFError) as error:
            reason = f"took longer than {seconds:g} s"
            if not hung.is_set():
                said = _open(self.process.stderr).read().decode(errors="replace")
                reason = f"ended Node.js: {' '.join(said.split())[-LAST_WORDS:]}"
            raise BundleError(f"the lens {reason} at {header['command']}") from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _write(self, header: dict[str, Any], arrays: Sequence[Floats]) -> None:
        pipe = _open(self.process.stdin)
        text = json.dumps({**header, "arrays": [array.size for array in arrays]}).encode()
        pipe.write(struct.pack("<I", len(text)) + text)
        for array in arrays:
            pipe.write(array.astype("<f4").tobytes())
        pipe.flush()

    def _read(self) -> tuple[dict[str, Any], list[Floats]]:
        pipe = _open(self.process.stdout)
        (size,) = struct.unpack("<I", _exactly(pipe, 4))
        header = json.loads(_exactly(pipe, size))
        arrays = [
            np.frombuffer(_exactly(pipe, 4 * length), "<f4") for length in header.pop("arrays")
        ]
        return header, arrays


def _stop(process: subprocess.Popen[bytes], hung: threading.Event) -> None:
    hung.set()
    process.kill()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    # What was not sent cannot be sent any more.
    with contextlib.suppress(BrokenPipeError):
        if process.stdin is not None:
            process.stdin.close()


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EOFError
    return pipe


def _exactly(pipe: IO[bytes], size: int) -> bytes:
    data = pipe.read(size)
    if len(data) != size:
        raise EOFError
    return data
