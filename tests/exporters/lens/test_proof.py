"""Lenses run for real against their student, and what is broken on purpose is seen."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.player import session as lens_session
from mobile_nelf_exporters.lens.studio.yaml import NIL
from tests.helpers.lens.contracts import LAYOUT_NAMES
from tests.helpers.lens.lenses import make_lens
from tests.helpers.node import needs_node

pytestmark = needs_node

#: A random network amplifies what float32 does to phases; trained ones reach 138 dB.
PROVED_DB = 70.0
#: What `mnelf verify` demands.
DEMANDED_DB = 50.0

CONTRACT = "Assets/NelfContract.js"
UPLOADS = "Assets/NelfUploads.js"
MODEL = "Assets/model.onnx"


@pytest.mark.parametrize("out_channels", [3, 4])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_touch_brings_the_lens_to_the_students_pictures(layout, out_channels):
    assert make_lens(layout, out_channels=out_channels).worst_db() > PROVED_DB


@pytest.mark.parametrize("out_channels", [3, 4])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_walking_brings_the_lens_to_the_students_pictures(layout, out_channels):
    assert make_lens(layout, "world", out_channels).worst_db() > PROVED_DB


def _seen(lens) -> str:
    """How a broken lens is noticed: the error, or that frames are far from the student's."""
    try:
        worst = lens.worst_db(3)
    except BundleError as error:
        return str(error)
    assert worst < DEMANDED_DB, f"{worst:.1f} dB: nobody would notice"
    return "frames"


def _model(lens, change) -> bytes:
    model = onnx.load_from_string(lens.files[MODEL])
    change(model)
    return model.SerializeToString(deterministic=True)


def _swap_channels(model):
    """Has the network draw blue where red was."""
    sigmoid = next(node for node in model.graph.node if node.op_type == "Sigmoid")
    last = next(node for node in model.graph.node if node.output[0] == sigmoid.input[0])
    for name in last.input[1:]:
        tensor = next(t for t in model.graph.initializer if t.name == name)
        values = onnx.numpy_helper.to_array(tensor)[::-1].copy()
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))


def _scale_output(model):
    """Bakes the scale of 255 in once more."""
    last = model.graph.node[-1]
    last.output[0] = "unscaled"
    scale = np.full((1, 1, 1, 1), 255, np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(scale, "scale"))
    model.graph.node.append(onnx.helper.make_node("Mul", ["unscaled", "scale"], ["output"]))


def test_swapped_channels_are_seen():
    lens = make_lens()
    assert _seen(lens.with_file(MODEL, _model(lens, _swap_channels))) == "frames"


def test_a_scale_that_is_applied_twice_is_seen():
    lens = make_lens()
    assert _seen(lens.with_file(MODEL, _model(lens, _scale_output))) == "frames"


def test_a_scale_that_is_missing_is_seen():
    def divide(model):
        for name in model.graph.node[-1].input[1:]:
            tensor = next(t for t in model.graph.initializer if t.name == name)
            values = onnx.numpy_helper.to_array(tensor) / np.float32(255)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))

    lens = make_lens()
    assert _seen(lens.with_file(MODEL, _model(lens, divide))) == "frames"


# The one ray map of `camera` has no columns.
@pytest.mark.parametrize("layout", sorted({*LAYOUT_NAMES} - {"camera"}))
def test_channels_before_columns_are_seen(layout):
    lens = make_lens(layout).edited(
        "Assets/NelfModel.js",
        "model.inputs[placeholder.name] = placeholder.data;",
        "placeholder.dataLayout = MachineLearning.DataLayout.NCHW;"
        " model.inputs[placeholder.name] = placeholder.data;",
    )
    assert _seen(lens) == "frames"


def test_flipped_rows_are_seen():
    lens = make_lens().edited("Assets/NelfRays.js", "= -frame[3 + k] / lens.fy", "= frame[3 + k]")
    assert _seen(lens) == "frames"
    assert (
        _seen(make_lens().edited("Assets/Scene.scene", "flipY: false", "flipY: true")) == "frames"
    )


@pytest.mark.parametrize(
    ("constant", "factor"), [("fx", 1.1), ("cy", 1.2), ("ballRadius", 1.0), ("radius", 1.05)]
)
def test_wrong_constants_are_seen(constant, factor):
    lens = make_lens()
    text = lens.files[CONTRACT].decode()
    pattern = rf'("{constant}": \[?)([0-9.e+-]+)'

    def scaled(match: re.Match[str]) -> str:
        return f"{match[1]}{float(match[2]) * factor!r}"

    changed = re.sub(pattern, scaled, text, count=1)
    broken = lens.with_file(CONTRACT, changed.encode())
    if factor == 1.0:
        assert broken.worst_db(3) > PROVED_DB, "the edit itself does no harm"
    else:
        assert _seen(broken) == "frames"


def test_a_stale_model_is_seen():
    lens = make_lens()
    assert _seen(lens.with_file(MODEL, make_lens(seed=1).files[MODEL])) == "frames"


def test_a_model_of_another_layout_is_seen():
    lens = make_lens("rays")
    said = _seen(lens.with_file(MODEL, make_lens("factored").files[MODEL]))
    assert "could not be loaded" in said
    assert "inputs of the model are sin_columns" in said


def test_two_inputs_that_changed_places_are_seen():
    lens = make_lens().edited(
        UPLOADS, "inputs.sin_columns, inputs.cos_columns", "inputs.cos_columns, inputs.sin_columns"
    )
    assert _seen(lens) == "frames"


def test_a_recurrence_that_drifts_is_seen():
    lens = make_lens().edited("Assets/NelfTables.js", "k = 1 - 2 * s * s;", "k = 1 - s * s;")
    assert _seen(lens) == "frames"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("touch.movedX += dx;", "touch.movedX += dx.dy.dz;"), "Assets/NelfTouch.js, line "),
        (("orbits.drag(", "orbits.dragg("), "dragg is not a function"),
        (("event.getTouchId();", "event.getTouchIdentifier();"), "TouchStartEvent.getTouchIdent"),
    ],
)
def test_scripts_that_fail_are_named(edit, said):
    assert said in _seen(make_lens("camera").edited("Assets/NelfTouch.js", *edit))


def test_a_script_that_never_returns_is_ended(monkeypatch):
    monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", 3.0)
    placed = "place(touch.first, id, event"
    endless = make_lens("camera").edited(
        "Assets/NelfTouch.js", placed, f"while (true) {{}} {placed}"
    )
    assert "longer" in _seen(endless)


def test_a_script_without_meta_is_not_there():
    lens = make_lens("camera")
    files = {path: data for path, data in lens.files.items() if path != f"{UPLOADS}.meta"}
    with pytest.raises(BundleError, match=r'require\("./NelfUploads"\) in Assets/NelfController'):
        type(lens)(lens.checkpoint, lens.contract, files).worst_db(1)


def test_no_model_says_what_to_do():
    lens = make_lens("camera")
    scene = lens.files["Assets/Scene.scene"].decode()
    nil = re.sub(r"(model: !<reference.MLAsset>) \S+", rf"\1 {NIL}", scene)
    assert "drag model.onnx" in _seen(lens.with_file("Assets/Scene.scene", nil.encode()))
