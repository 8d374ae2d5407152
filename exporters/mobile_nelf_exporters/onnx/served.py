"""ONNX Runtime in the child process of a `FencedModel`."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobile_nelf.extras import import_extra
from mobile_nelf.fence.arrays import Arrays, Header
from mobile_nelf.fence.child import Open, Run

__all__ = ["prepare"]

#: ONNX Runtime's own: only what ends the process is logged.
FATAL = 4


def prepare(settings: Header) -> Open:
    """Imports ONNX Runtime; see `fence.child.Prepare`.

    With `optimize` false a graph is only loaded, and none of its constants is computed.
    """
    onnxruntime = import_extra("onnxruntime", "lens")
    onnxruntime.set_default_logger_severity(FATAL)

    def open_model(content: Arrays) -> tuple[Header, Run]:
        options = onnxruntime.SessionOptions()
        # Its arena never shrinks; several sessions of this size would add up to gigabytes.
        options.enable_cpu_mem_arena = False
        if not settings.get("optimize", True):
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            content["model"].tobytes(), options, providers=["CPUExecutionProvider"]
        )

        def run(header: Header, feeds: Arrays) -> tuple[Header, Arrays]:
            names = header["outputs"]
            found = session.run(names, feeds)
            return {}, {name: np.asarray(value) for name, value in zip(names, found, strict=True)}

        return {
            "inputs": _shapes(session.get_inputs()),
            "outputs": _shapes(session.get_outputs()),
        }, run

    return open_model


def _shapes(values: list[Any]) -> dict[str, list[int | None]]:
    """Sizes by name; None for one that is free."""
    return {
        value.name: [size if isinstance(size, int) else None for size in value.shape]
        for value in values
    }
