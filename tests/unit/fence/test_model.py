"""Foreign models run in a child process that reaches nothing and is stopped in time."""

from __future__ import annotations

import gc
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import FileRecord, read_manifest
from mobile_nelf.errors import BundleError
from mobile_nelf.fence import arrays as fence_arrays
from mobile_nelf.fence import model as fence_model
from mobile_nelf.fence.model import FencedModel, run_seconds
from mobile_nelf_exporters.onnx.exporter import MODEL, OnnxExporter
from mobile_nelf_exporters.onnx.runtime import OnnxSession, parse_model
from tests.helpers.memory import watch
from tests.helpers.onnx_models import graph_model
from tests.helpers.students import random_checkpoint

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux limits other processes")

#: Loading libraries on a busy machine; what is tested is far shorter.
PATIENCE_S = 60.0
FOREVER = 2**62


def fenced(seconds: float = PATIENCE_S, **content: np.ndarray) -> FencedModel:
    return FencedModel("a.model", "tests.helpers.fenced:prepare", content, seconds=seconds)


def is_living(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_arrays_come_back_as_they_were_made():
    sent = {
        "floats": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4),
        "none": np.zeros((0, 3), np.float32),
        "one": np.float32(7.0).reshape(()),
        "turned": np.arange(6, dtype=np.float64).reshape(2, 3).T,
        "integers": np.array([[-1, 2**40]]),
    }
    _, found = fenced().run({"do": "twice"}, sent)
    assert found.keys() == sent.keys()
    for name, array in sent.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], 2 * array)


@on_linux
def test_the_child_reaches_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "of the user")
    mark = tmp_path / "mark"
    model = fenced()
    # The first is set by Python itself, the second by libraries that a parent has imported.
    assert set(model.facts["environment"]) <= {"LC_CTYPE", "LD_LIBRARY_PATH"}
    assert model.facts["session"] != os.getsid(0)
    assert model.run({"do": "escape", "mark": str(mark)}, {})[0] == {"done": []}
    assert not mark.exists()


@pytest.mark.parametrize("what", ["loop", "sleep"])
def test_a_run_without_end_is_ended(what):
    model = fenced(seconds=0.5)
    process = model._opened().process
    begin = time.monotonic()
    with pytest.raises(
        BundleError, match=r"^a\.model: the model took longer than 0\.5 s at a run$"
    ):
        model.run({"do": what}, {})
    assert time.monotonic() - begin < PATIENCE_S / 2
    assert process.wait(5) != 0


@on_linux
def test_a_run_that_needs_more_memory_is_refused(monkeypatch):
    model = fenced()
    peaks: list[int] = []
    threading.Thread(target=watch, args=(model._opened().process.pid, peaks)).start()
    with pytest.raises(BundleError, match=r"^a\.model: needs more memory than it may have"):
        model.run({"do": "fill"}, {})
    model.close()
    assert peaks
    assert max(peaks) < fence_model.MEMORY_BYTES


def test_an_error_is_one_line_and_the_model_still_runs():
    model = fenced()
    with pytest.raises(BundleError, match=r"^a\.model: two lines$"):
        model.run({"do": "fail"}, {})
    assert model.run({"do": "twice"}, {"x": np.ones(1, np.float32)})[1]["x"] == 2.0


def test_a_crash_is_told():
    model = fenced()
    with pytest.raises(BundleError, match=r"^a\.model: the model ended its process: .* at a run$"):
        model.run({"do": "crash"}, {})


def test_what_is_not_a_message_is_refused(monkeypatch):
    model = fenced()
    assert model.facts
    monkeypatch.setattr(fence_arrays, "MAX_TEXT_BYTES", 0)
    with pytest.raises(BundleError, match="sent what is not a message at a run"):
        model.run({"do": "twice"}, {})


def test_the_process_ends_with_the_model():
    model = fenced()
    process = model._opened().process
    assert is_living(process.pid)
    del model
    gc.collect()
    assert process.poll() is not None
    closed = fenced()
    assert closed.facts
    closed.close()
    with pytest.raises(BundleError, match="was closed"):
        closed.run({"do": "twice"}, {})


def test_more_work_may_take_longer():
    assert run_seconds(0) == fence_model.RUN_SECONDS
    assert run_seconds(100 * 10**9) == fence_model.RUN_SECONDS + 100
    assert run_seconds(10**18) == fence_model.RUN_SECONDS + fence_model.MAX_RUN_SECONDS


def _loop(sizes: tuple[int, ...]):
    """Multiplies the input by itself for ever."""
    scalar = (TensorProto.INT64, ()), (TensorProto.BOOL, ()), (TensorProto.FLOAT, sizes)
    info = [
        helper.make_tensor_value_info(name, *kind)
        for name, kind in zip(("turn", "on", "x"), scalar, strict=True)
    ]
    results = [
        helper.make_tensor_value_info("still_on", *scalar[1]),
        helper.make_tensor_value_info("product", *scalar[2]),
    ]
    steps = [
        helper.make_node("Identity", ["on"], ["still_on"]),
        helper.make_node("Mul", ["x", "x"], ["product"]),
    ]
    body = helper.make_graph(steps, "body", info, results)
    return helper.make_node("Loop", ["turns", "", "start"], ["end"], body=body)


def _big(sizes: tuple[int, ...]):
    """Sums up four billion copies of the input."""
    return [
        helper.make_node("ReduceSum", ["start"], ["one"], keepdims=1),
        helper.make_node("Expand", ["one", "billions"], ["many"]),
        helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["start", "sum"], ["end"]),
    ]


HOSTILE = {
    "a loop without end": (lambda sizes: [_loop(sizes)], "took longer than 1 s at a run"),
    "four billion values": (_big, "ReduceSum|Expand|bad_alloc|allocate|memory"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_verify_survives_hostile_models(tmp_path, monkeypatch, name):
    """The file is where the model of the bundle was, with its contract and hashes that fit."""
    nodes, said = HOSTILE[name]
    bundle = create_bundle(
        random_checkpoint(sr_widths=(), ray_width=4, ray_height=4),
        target="onnx",
        output=tmp_path / "b",
        options={"layout": "embedded"},
    )
    forge(bundle.path, nodes)
    monkeypatch.setattr(fence_model, "RUN_SECONDS", 1.0)
    begin = time.monotonic()
    verification = verify_bundle(bundle.path)
    assert time.monotonic() - begin < PATIENCE_S
    (problem,) = verification.problems
    assert problem.startswith("model.onnx: ")
    assert any(word in problem for word in said.split("|")), problem
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert 1024 * peak < 2 * fence_model.MEMORY_BYTES


def forge(path, nodes: Callable) -> None:
    manifest = read_manifest(path)
    (given,), output = manifest.contract.inputs, manifest.contract.output
    sizes = (1, 3, *given.shape[2:])
    constants = {"turns": FOREVER, "billions": [1, 4, 32768, 32768], "first": [0], "last": [3]}
    own = [
        helper.make_node("Slice", [given.name, "first", "last", "axis"], ["start"]),
        *nodes(sizes),
        helper.make_node("Identity", ["end"], [output.name]),
    ]
    model = graph_model(
        own, {given.name: given.shape}, {output.name: output.shape}, {**constants, "axis": [1]}
    )
    model.ir_version = 6
    helper.set_model_props(model, manifest.contract.as_metadata())
    # Shapes inside are told, since nothing could infer them.
    for value, shape in (("end", sizes), ("one", (1, 1, 1, 1)), ("many", (1, 4, 32768, 32768)),
                         ("sum", (1, 1, 1, 1)), ("start", sizes)):  # fmt: skip
        model.graph.value_info.append(
            helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)
        )
    content = model.SerializeToString()
    (path / MODEL).write_bytes(content)
    forged = replace(
        manifest,
        files={**manifest.files, MODEL: FileRecord.of(content)},
        inspection=OnnxExporter().inspect({MODEL: content}),
    )
    (path / "manifest.json").write_bytes(forged.to_bytes())


def test_external_data_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 4)
    add = helper.make_node("Add", ["x", "w"], ["y"])
    model = graph_model([add], {"x": (1,)}, {"y": (1,)}, {"w": np.zeros(1, np.float32)})
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for location in (str(secret), os.path.relpath(secret)):
        del tensor.external_data[:]
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
        with pytest.raises(BundleError, match=r"^m\.onnx: "):
            OnnxSession(model, "m.onnx").run(["y"], {"x": np.ones(1, np.float32)})


def test_functions_in_a_file_are_refused():
    """Functions that call each other twice grow to any size when they are written out."""
    model = graph_model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1,)}, {"y": (1,)})
    model.functions.add(name="f", domain="d")
    with pytest.raises(BundleError, match=r"m\.onnx: defines functions of its own"):
        parse_model(model.SerializeToString(), "m.onnx")


def test_errors_of_onnx_runtime_are_typed():
    model = graph_model([helper.make_node("Foo", ["x"], ["y"])], {"x": (1,)}, {"y": (1,)})
    with pytest.raises(BundleError, match=r"^m\.onnx: .*Foo"):
        OnnxSession(model, "m.onnx").shapes("inputs")
    good = graph_model([helper.make_node("Relu", ["x"], ["y"])], {"x": (1,)}, {"y": (1,)})
    session = OnnxSession(good, "m.onnx")
    assert session.shapes("outputs") == {"y": (1,)}
    with pytest.raises(BundleError, match=r"^m\.onnx: "):
        session.run(["y"], {"x": np.ones((2, 2), np.float32)})
    with pytest.raises(BundleError, match=r"^m\.onnx: "):
        session.run(["z"], {"x": np.ones(1, np.float32)})
