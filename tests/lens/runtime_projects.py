"""A small Lens Studio project made by hand, for tests of the runtime itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import onnx
from onnx import TensorProto, helper

__all__ = ["CHANNELS", "COLUMNS", "ROWS", "runtime_project"]

PROJECT = Path(__file__).parent / "runtime_project"

#: Of the input `values`; all three differ, so that a swapped axis shows.
COLUMNS, ROWS, CHANNELS = 3, 2, 4

INPUTS = """//@input Asset.MLAsset model
//@input Asset.Texture camera
//@input Asset.Texture nothing
//@input float size = 1.0
//@input int count = 7
//@input string title = "a title" {"hint":"shown"}
//@input bool loud = true
"""


def runtime_project(main: str = "", **modules: str) -> dict[str, bytes]:
    """Returns the files with `main` as the only component script.

    Args:
        main: script, below the declarations of its inputs.
        modules: scripts `Part` and `Other`; a project without one lacks its meta too.
    """
    files = {
        path.relative_to(PROJECT).as_posix(): path.read_bytes()
        for path in sorted(PROJECT.rglob("*"))
        if path.is_file()
    }
    for name in ("Part", "Other"):
        if name in modules:
            files[f"Assets/{name}.js"] = modules[name].encode()
        else:
            del files[f"Assets/{name}.js.meta"]
    return {
        **files,
        "Assets/Main.js": (INPUTS + main).encode(),
        "Assets/model.onnx": _model(),
    }


@cache
def _model() -> bytes:
    """`picture` is the first three channels of `values` and `image` added; `all` is all of both."""
    shape = (1, CHANNELS, ROWS, COLUMNS)
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["values", "zero", "three", "one"], ["colours"]),
            helper.make_node("Add", ["colours", "image"], ["picture"]),
            helper.make_node("Concat", ["values", "image"], ["all"], axis=1),
        ],
        "small",
        [
            helper.make_tensor_value_info("values", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, ROWS, COLUMNS)),
        ],
        [
            helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 3, ROWS, COLUMNS)),
            helper.make_tensor_value_info("all", TensorProto.FLOAT, (1, 7, ROWS, COLUMNS)),
        ],
        [
            helper.make_tensor(name, TensorProto.INT64, (1,), [value])
            for name, value in (("zero", 0), ("three", 3), ("one", 1))
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()
