"""What runs in the child process of a fenced model when a test wants to know how far it gets."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import time

import numpy as np

from mobile_nelf.fence.arrays import Arrays, Header
from mobile_nelf.fence.child import Open, Run

__all__ = ["prepare"]


def prepare(settings: Header) -> Open:
    """Opens a "model" that does what it is asked to do."""

    def open_model(content: Arrays) -> tuple[Header, Run]:
        return {"environment": sorted(os.environ), "session": os.getsid(0)}, _run

    return open_model


def _run(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    match header["do"]:
        case "twice":
            print("a runtime that talks")
            return {}, {name: 2 * array for name, array in arrays.items()}
        case "escape":
            return {"done": list(_escapes(header["mark"]))}, {}
        case "loop":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "fill":
            return {}, {"sum": np.ones(1 << 29, np.float64).sum(keepdims=True)}
        case "fail":
            raise RuntimeError("two\nlines")
        case "crash":
            ctypes.string_at(0)
    return {}, {}


def _escapes(mark: str):
    """Names of what worked and should not have."""
    attempts = {
        "write": lambda: open(mark, "w").close(),
        "read": lambda: open("/etc/hostname").close(),
        "socket": socket.socket,
        "pipe": os.pipe,
        "process": lambda: subprocess.run(["/usr/bin/touch", mark]),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        yield name
