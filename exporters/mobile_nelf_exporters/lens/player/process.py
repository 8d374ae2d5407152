"""The Node.js process in which the scripts of a lens run, and the messages to and from it.

What comes from it is foreign: lengths are bounded and texts are parsed as data.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.errors import BundleError
from mobile_nelf.fence import process as fence
from mobile_nelf.fence.piped import PipedProcess
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.lens.player.node import node_command

__all__ = ["Answer", "LensProcess", "Message"]

Floats = npt.NDArray[np.float32]
Message = tuple[dict[str, Any], Sequence[Floats]]

#: Of the process, its JavaScript heap included.
MEMORY_BYTES = 1 << 30

#: Of a message: what scripts print, and the values that they give to a model.
MAX_TEXT_BYTES = 32 << 20
MAX_ARRAY_BYTES = 512 << 20

#: Its own start, and garbage that other threads collect.
CPU_SECONDS_MORE = 20.0
START_SECONDS = 60.0

#: Runs of models for one event; lenses of ours need one.
MAX_RUNS = 32


class Answer:
    """What a command led to.

    Attributes:
        header: as the scripts' side wrote it.
        script_seconds: of processor time in scripts, as measured outside of them; what packs and
            unpacks messages is left out.
        model_seconds: in models, the way there and back included.
    """

    def __init__(self, header: dict[str, Any], measured: dict[str, Any]) -> None:
        """Takes both parts of a message."""
        self.header = header
        self.script_seconds = float(measured.get("script_seconds", 0.0))
        self.model_seconds = float(measured.get("model_seconds", 0.0))


class LensProcess:
    """Talks in the messages of `node/pipe.js`. Ends when it is closed or dropped.

    Attributes:
        process: Node.js.
    """

    def __init__(self, script: Path, seconds: float) -> None:
        """Starts Node.js.

        Args:
            script: that says `{}` when it is ready; until then it may read files beside it.
            seconds: that scripts may take in all, until the process is closed.

        Raises:
            MissingToolError: Node.js is not installed, or too old.
            BundleError: it ended at once.
        """
        self._pipe = PipedProcess(
            node_command(script),
            script.parent,
            who="the lens",
            program="Node.js",
            cpu_seconds=seconds + CPU_SECONDS_MORE,
            memory_bytes=MEMORY_BYTES,
        )
        self.process = self._pipe.process
        self._seconds = seconds
        self._left = START_SECONDS
        try:
            with self._counted("open"):
                self._read()
        except BaseException:
            self.close()
            raise
        fence.seal(self.process)
        self._left = seconds

    def exchange(
        self,
        header: dict[str, Any],
        answer: Callable[[dict[str, Any], list[Floats]], Message],
    ) -> Answer:
        """Sends a command, answers requests until it is done, and returns the result.

        Args:
            header: has the `command`.
            answer: takes header and arrays of a request, gives those of its answer.

        Raises:
            BundleError: the process ended, scripts took too long or sent what is not a message.
        """
        command = str(header["command"])
        sent: Message = (header, ())
        for _ in range(MAX_RUNS + 1):
            with self._counted(command):
                self._write(*sent)
                measured, received, arrays = self._read()
            if "request" not in received:
                return Answer(received, measured)
            sent = answer(received, arrays)
        self.close()
        raise BundleError(f"the lens ran its models more than {MAX_RUNS} times at {command}")

    def close(self) -> None:
        """Ends the process."""
        self._pipe.close()

    @contextmanager
    def _counted(self, command: str) -> Iterator[None]:
        """Counts the time that the process is waited for, and ends it when there is none left."""
        begin = time.monotonic()
        try:
            with self._pipe.counted(self._left, command, self._seconds):
                yield
        finally:
            self._left = max(self._left - (time.monotonic() - begin), 0.0)

    def _write(self, header: dict[str, Any], arrays: Sequence[Floats]) -> None:
        text = json.dumps({**header, "arrays": [array.size for array in arrays]}).encode()
        content = b"".join(array.astype("<f4").tobytes() for array in arrays)
        self._pipe.write(struct.pack("<II", len(text), len(content)) + text, content)

    def _read(self) -> tuple[dict[str, Any], dict[str, Any], list[Floats]]:
        sizes = struct.unpack("<III", self._pipe.read(12))
        if max(sizes[:2]) > MAX_TEXT_BYTES or sizes[2] > MAX_ARRAY_BYTES:
            raise ValueError(f"{sum(sizes)} bytes, more than {MAX_TEXT_BYTES} of text")
        measured, header = (parse_json(self._pipe.read(size)) for size in sizes[:2])
        if not isinstance(measured, dict) or not isinstance(header, dict):
            raise ValueError("its text is not a JSON object")
        return measured, header, _arrays(self._pipe.read(sizes[2]), header.pop("arrays", []))


def _arrays(content: bytes, lengths: Any) -> list[Floats]:
    """The values of a message, array by array."""
    if not isinstance(lengths, list) or not all(type(length) is int for length in lengths):
        raise ValueError("the lengths of its arrays are not integers")
    if min(lengths, default=0) < 0 or 4 * sum(lengths) != len(content):
        raise ValueError(f"{len(content)} bytes for arrays of {sum(lengths)} values")
    values = np.frombuffer(content, "<f4")
    return np.split(values, np.cumsum(lengths[:-1])) if lengths else []
