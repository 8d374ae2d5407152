"""A foreign model, opened and run in a child process with limits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.fence import process as fence
from mobile_nelf.fence.arrays import Arrays, Header, packed, unpacked
from mobile_nelf.fence.piped import PipedProcess

__all__ = ["FencedModel", "run_seconds"]

#: Of the child, with the libraries that run the model. A D60 student at 800×800 pixels takes half.
MEMORY_BYTES = 2 << 30

#: To import those libraries, and to open a model.
START_SECONDS = 120.0
OPEN_SECONDS = 60.0

#: A run takes this long at most, and longer for what it has to multiply: every processor of the
#: last ten years does ten times as much a second.
RUN_SECONDS = 60.0
MACS_A_SECOND = 1e9
MAX_RUN_SECONDS = 1800.0

#: Of all threads, should nobody be left who waits for the child.
CPU_SECONDS = 48 * 3600.0

#: What the loader of shared libraries, and Windows, cannot do without.
KEPT_ENVIRONMENT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")

#: Starts `fence.child` with the module path of this process; without the user's settings of Python.
BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mobile_nelf.fence.child import main; main()"
)


def run_seconds(macs: int) -> float:
    """Returns how long one run of a model with so many multiply-accumulates may take."""
    return RUN_SECONDS + min(macs / MACS_A_SECOND, MAX_RUN_SECONDS)


class FencedModel:
    """Starts its process when it is first needed; that ends with this object.

    On Linux the child cannot open a file, a socket or a process. Elsewhere only time is limited.
    """

    def __init__(
        self,
        name: str,
        prepare: str,
        content: Arrays,
        *,
        settings: Mapping[str, Any] | None = None,
        seconds: float = RUN_SECONDS,
    ) -> None:
        """Takes what to open; nothing runs yet.

        Args:
            name: of the model's file, for messages.
            prepare: `module:function` of this package, a `fence.child.Prepare`.
            content: what `Open` gets.
            settings: what `Prepare` gets.
            seconds: that one run may take.
        """
        self._name, self._prepare, self._seconds = name, prepare, seconds
        self._content: Arrays = content
        self._settings = dict(settings or {})
        self._process: PipedProcess | None = None
        self._facts: Header = {}
        self._failure = ""

    @property
    def facts(self) -> Header:
        """What `Open` found out about the model.

        Raises:
            BundleError: it cannot be opened within the limits.
        """
        self._opened()
        return self._facts

    def run(self, header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
        """Runs the model once.

        Raises:
            BundleError: it cannot be opened or run within the limits.
        """
        return self._ask(self._opened(), header, arrays, self._seconds, "a run")

    def close(self) -> None:
        """Ends the process; the model cannot be run any more."""
        self._failure = self._failure or f"{self._name}: was closed"
        if self._process is not None:
            self._process.close()

    def _opened(self) -> PipedProcess:
        if self._failure:
            raise BundleError(self._failure)
        if self._process is None:
            try:
                self._process, self._facts = self._open()
            except BundleError as error:
                self._failure = str(error)
                raise
            self._content = {}
        return self._process

    def _open(self) -> tuple[PipedProcess, Header]:
        path = json.dumps([os.path.abspath(folder) for folder in sys.path])
        process = PipedProcess(
            [sys.executable, "-I", "-B", "-c", BOOT, path],
            Path(__file__).parent,
            who=f"{self._name}: the model",
            program="its process",
            cpu_seconds=CPU_SECONDS,
            memory_bytes=MEMORY_BYTES,
            environment={key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ},
        )
        try:
            module, _, function = self._prepare.partition(":")
            settings = {**self._settings, "module": module, "function": function}
            self._ask(process, settings, {}, START_SECONDS, "the start")
            # Nothing foreign was sent so far.
            fence.seal(process.process, threads=True)
            facts, _ = self._ask(process, {}, self._content, OPEN_SECONDS, "opening")
        except BaseException:
            process.close()
            raise
        return process, facts

    def _ask(
        self, process: PipedProcess, header: Header, arrays: Arrays, seconds: float, doing: str
    ) -> tuple[Header, Arrays]:
        with process.counted(seconds, doing):
            process.write(*packed(header, arrays))
            header, arrays = unpacked(process.read)
        if "error" in header:
            raise BundleError(f"{self._name}: {header['error']}")
        return header, arrays
