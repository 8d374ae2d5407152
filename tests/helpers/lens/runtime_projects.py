"""A small Lens Studio project made by hand, for tests of the runtime itself, and runs of it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.player.session import LensSession

__all__ = [
    "BUILD",
    "CHANNELS",
    "COLUMNS",
    "PICTURE_ATOL",
    "ROWS",
    "SCREEN",
    "SIZE",
    "TRANSFORMER",
    "drawn_by",
    "error_of",
    "expected_picture",
    "flat_camera_image",
    "open_lens",
    "printed_by",
    "runtime_project",
]

PROJECT = Path(__file__).parent / "runtime_project"

#: Of the input `values`; all three differ, so that a swapped axis shows.
COLUMNS, ROWS, CHANNELS = 3, 2, 4

SCREEN = (6, 4)
SIZE = COLUMNS * ROWS * CHANNELS

#: Builds the model and calls `ready(ml)` once it is there.
BUILD = """
function build(ready) {
    const ml = script.getSceneObject().createComponent("Component.MLComponent");
    ml.model = script.model;
    ml.onLoadingFinished = () => ready(ml);
    ml.onLoadingFailed = (error) => print("failed: " + error);
    ml.build([]);
    return ml;
}
const START = (run) => script.createEvent("OnStartEvent").bind(run);
const UPDATE = (run) => script.createEvent("UpdateEvent").bind(run);
const T = MachineLearning.FrameTiming;
"""

#: Puts 0, 1, 2, … into the model, shows its picture, and runs it once.
DRAW = (
    BUILD
    + """
START(() => build((ml) => {
    const values = ml.getInput("values");
    for (let i = 0; i < values.data.length; i++) { values.data[i] = i / 100; }
    EDIT
    ml.onRunningFinished = () => {
        const control = script.getSceneObject().CAMERA.renderTarget.control;
        control.inputTexture = ml.getOutput("picture").texture;
        control.clearColorOption = ClearColorOption.CustomTexture;
    };
    ml.runImmediate(true);
}));
"""
)
TRANSFORMER = "Transformer: {stretch: true, flipX: false, flipY: false, rotation: None}"

#: One value of 8 bits, of which textures are not made here, is 4e-3; float32 sums leave 1e-7.
PICTURE_ATOL = 1e-6

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


def flat_camera_image() -> np.ndarray:
    """Large flat areas: what a texture of 3×2 has of it does not hang on the interpolation."""
    return np.full((SCREEN[1], SCREEN[0], 3), (51, 102, 204), np.uint8)


def open_lens(main: str, **modules: str) -> LensSession:
    return LensSession(
        runtime_project(main, **modules), screen=SCREEN, camera_image=flat_camera_image()
    )


def printed_by(main: str, updates: int = 1, **modules: str) -> list[str]:
    """What a script prints when it is opened, at the start and in some frames."""
    with open_lens(main, **modules) as lens:
        lens.start()
        for _ in range(updates):
            lens.update()
        return lens.printed


def error_of(main: str, updates: int = 1, **modules: str) -> str:
    with pytest.raises(BundleError) as caught:
        printed_by(main, updates, **modules)
    return str(caught.value)


def drawn_by(
    edit: str = "", camera_image: np.ndarray | None = None, **edits: tuple[str, str]
) -> np.ndarray:
    """The texture on the screen after `DRAW`, with edits in files of the project."""
    main = DRAW.replace("EDIT", edit).replace("CAMERA", 'getComponent("Component.Camera")')
    files = runtime_project(main)
    # The script's object must hold the camera: both components belong to the child here.
    scene = files["Assets/Scene.scene"].decode()
    camera = "    - !<own> 1c0e2a77-5b0d-4d86-9e4f-7f3b6d2a9c64\n"
    script = "    - !<own> 7ab8d1f3-2c64-4a5e-8d90-e1f5b3c60d75\n"
    moved = scene.replace(camera, "    []\n").replace(script, camera + script)
    files["Assets/Scene.scene"] = moved.encode()
    for name, (old, new) in edits.items():
        path = {"meta": "Assets/model.onnx.meta", "scene": "Assets/Scene.scene"}[name]
        text = files[path].decode()
        assert old in text
        files[path] = text.replace(old, new).encode()
    image = flat_camera_image() if camera_image is None else camera_image
    with LensSession(files, screen=SCREEN, camera_image=image) as lens:
        lens.start()
        texture = lens.texture()
        assert texture is not None
        return texture


def expected_picture() -> np.ndarray:
    """The picture by hand: what the scripts wrote, normalised, and the camera's colour."""
    picture = np.zeros((ROWS, COLUMNS, 3))
    for row in range(ROWS):
        for column in range(COLUMNS):
            for channel in range(3):
                written = ((row * COLUMNS + column) * CHANNELS + channel) / 100
                normalised = written * (1, 2, 1, 1)[channel] + (0, 0, 0.5, 0)[channel]
                picture[row, column, channel] = normalised + (51, 102, 204)[channel] / 255
    return np.clip(picture, 0, 1)
