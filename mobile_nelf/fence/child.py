"""The child process: opens one foreign model and runs it whenever it is asked to."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import BinaryIO

from mobile_nelf.fence.arrays import Arrays, Header, packed, unpacked

__all__ = ["Open", "Prepare", "Run", "main"]

#: Runs the model: takes what is asked and its inputs, gives what is answered and its outputs.
Run = Callable[[Header, Arrays], tuple[Header, Arrays]]
#: Opens a model from its content; also returns what is to be known about it.
Open = Callable[[Arrays], tuple[Header, Run]]
#: Imports all that is needed, since no file can be opened afterwards.
Prepare = Callable[[Header], Open]


def main() -> None:
    """Answers until the other side closes the pipe."""
    requests = sys.stdin.buffer
    # Runtimes print to the standard output; that would be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def read(size: int) -> bytes:
        data = requests.read(size)
        if len(data) != size:
            raise EOFError
        return data

    try:
        settings, _ = unpacked(read)
        prepare: Prepare = getattr(
            importlib.import_module(settings.pop("module")), settings.pop("function")
        )
        open_model = prepare(settings)
        _send(answers, {}, {})
        run: Run | None = None
        while True:
            header, arrays = unpacked(read)
            try:
                if run is None:
                    header, run = open_model(arrays)
                    arrays = {}
                else:
                    header, arrays = run(header, arrays)
                _send(answers, header, arrays)
            # Whatever a foreign model makes a runtime raise is an answer, and not a crash.
            except Exception as error:
                text = " ".join(str(error).split()) or type(error).__name__
                if isinstance(error, MemoryError):
                    text = f"needs more memory than it may have ({text})"
                _send(answers, {"error": text}, {})
    except (EOFError, BrokenPipeError):
        pass


def _send(answers: BinaryIO, header: Header, arrays: Arrays) -> None:
    for part in packed(header, arrays):
        answers.write(part)
    answers.flush()
