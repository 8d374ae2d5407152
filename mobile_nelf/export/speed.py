"""Speed and memory of students in ONNX Runtime on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.options import make_options
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import SPEED_TARGET, LayoutName

__all__ = ["HostRun", "run_here"]

#: Layout of what is timed: the network alone, as the multiply-accumulates are counted.
LAYOUT: LayoutName = "embedded"

#: Frames of each student in a timing, and seconds after which three are enough.
FRAMES, ENOUGH_S = 21, 10.0


@dataclass(frozen=True)
class HostRun:
    """A student in ONNX Runtime.

    Attributes:
        ms: milliseconds of one processor for a frame, median.
        peak_bytes: largest sum of activations alive at once, as float32 and without weights.
    """

    ms: float
    peak_bytes: int


def run_here(*checkpoints: Checkpoint) -> list[HostRun]:
    """Runs students in ONNX Runtime on one processor.

    All are timed in turns, so that other work on the machine hits them alike, and the medians
    count. What the encoding takes is the same for all and left out.

    Raises:
        MissingExtraError: the packages are not installed.
    """
    onnxruntime = import_extra("onnxruntime", "lens")
    exporter = find_exporter(SPEED_TARGET)
    options = make_options(SPEED_TARGET, exporter.options, {"layout": LAYOUT})
    sessions: list[tuple[Any, dict[str, Any]]] = []
    peaks: list[int] = []
    for checkpoint in checkpoints:
        exported = exporter.export(checkpoint, "student", options)
        inspection = exporter.inspect(exported.files)
        (path,) = inspection.models
        assert inspection.cost is not None  # every shape of a graph of ours is known
        peaks.append(inspection.cost.peak_activation_bytes)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            exported.files[path], settings, providers=["CPUExecutionProvider"]
        )
        rng = np.random.default_rng(0)
        feeds = {
            spec.name: rng.uniform(-1.0, 1.0, spec.shape).astype(np.float32)
            for spec in exported.contract.inputs
        }
        session.run(None, feeds)
        sessions.append((session, feeds))
    taken: list[list[float]] = [[] for _ in sessions]
    first = time.thread_time()
    for frame in range(FRAMES):
        if frame >= 3 and time.thread_time() - first > ENOUGH_S:
            break
        for (session, feeds), times in zip(sessions, taken, strict=True):
            began = time.thread_time()
            session.run(None, feeds)
            times.append(1e3 * (time.thread_time() - began))
    return [HostRun(median(times), peak) for times, peak in zip(taken, peaks, strict=True)]
