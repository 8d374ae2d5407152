"""Whole programs: rounding, overflow, the trained network, compressed and damaged packages."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf.errors import BundleError, MissingExtraError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.coreml.interpreter.interpreter import (
    Interpreter,
    operation_counts,
)
from mobile_nelf_exporters.coreml.package.package import read_package
from tests.helpers.coreml.models import (
    MANIFEST,
    MODEL,
    NAME,
    WEIGHTS,
    changed,
    convert_program,
    convert_student,
    edited,
    find,
    package_files,
    two_convs,
)
from tests.helpers.coreml.operators import ORACLES, SAME_ARITHMETIC, all_operators, run, weight
from tests.helpers.students import random_checkpoint


@pytest.fixture(scope="module")
def chain():
    """((a + b)·3 − b)·7 in fp16; the threes are stored in the weights file."""
    shape = (1, 3, 4, 5)

    def build(a, b):
        from coremltools.converters.mil import Builder as mb  # noqa: N813

        threes = np.full(shape, 3, np.float32)
        x = mb.mul(x=mb.add(x=a, y=b, name="sum"), y=threes, name="tripled")
        x = mb.sub(x=x, y=b, name="less")
        return mb.mul(x=x, y=np.float32(7), name="output")

    model = convert_program(build, [shape, shape], ["output"], ios=17)
    return read_package(package_files(model), NAME)


def _chain(a, b, dtype):
    a, b, three, seven = (np.asarray(x, dtype) for x in (a, b, 3, 7))
    return ((a + b) * three - b) * seven


def test_fp16_mode_rounds_after_every_operation_bit_for_bit(chain):
    a, b = weight(1, 3, 4, 5), weight(1, 3, 4, 5)
    a16, b16 = a.astype(np.float16), b.astype(np.float16)
    emulated, _ = run(chain, {"a": a, "b": b}, emulate_fp16=True)
    np.testing.assert_array_equal(emulated["output"], _chain(a16, b16, np.float16))
    exact, _ = run(chain, {"a": a, "b": b})
    np.testing.assert_array_equal(exact["output"], _chain(a16, b16, np.float32))
    assert (emulated["output"] != exact["output"]).any()


def test_exact_mode_does_not_round_inside_a_program_of_mixed_precision():
    def build(a):
        from coremltools.converters.mil import Builder as mb  # noqa: N813

        return mb.mul(x=mb.sin(x=a), y=np.full(a.shape, 7, np.float32), name="output")

    model = convert_program(
        build, [(1, 3, 4, 5)], ["output"], fp16=lambda operation: operation.op_type != "sin"
    )
    package = read_package(package_files(model), NAME)
    assert operation_counts(package) == {"cast": 2, "mul": 1, "sin": 1}
    a = weight(1, 3, 4, 5)
    sine = np.sin(a.astype(np.float64)).astype(np.float32)
    exact = run(package, {"a": a})[0]["output"]
    np.testing.assert_allclose(exact, sine * 7, rtol=SAME_ARITHMETIC)
    emulated = run(package, {"a": a}, emulate_fp16=True)[0]["output"]
    np.testing.assert_array_equal(emulated, emulated.astype(np.float16))
    # Two libraries' sines may fall on two sides of a rounding: one step of fp16.
    wanted = sine.astype(np.float16) * np.float16(7)
    np.testing.assert_allclose(emulated, wanted, rtol=2**-10)
    assert (emulated != exact).any()


def _pair(a, b):
    shape = (1, 3, 4, 5)
    return {"a": np.full(shape, a, np.float32), "b": np.full(shape, b, np.float32)}


def test_overflow_is_infinite_as_on_a_device_and_reported(chain):
    emulated, interpreter = run(chain, _pair(30000, 0), emulate_fp16=True)
    assert np.isposinf(emulated["output"]).all()
    assert interpreter.largest_activation == ("tripled_cast_fp16", math.inf)
    # Exact arithmetic shows how far beyond the limit it is.
    exact, interpreter = run(chain, _pair(30000, 0))
    assert (exact["output"] == 630000).all()
    assert interpreter.largest_activation[1] == 630000 > FP16_LIMIT


def test_an_input_beyond_fp16_is_infinite_in_both_modes(chain):
    for emulate in (False, True):
        _, interpreter = run(chain, _pair(0, -65520), emulate_fp16=emulate)
        assert interpreter.largest_activation == ("b_to_fp16", math.inf)


def test_what_is_no_number_counts_as_overflow(chain):
    interpreter = Interpreter(chain)
    assert interpreter.largest_activation == ("", 0.0)
    inputs = {name: torch.from_numpy(array) for name, array in _pair(math.nan, 1).items()}
    interpreter.run(inputs)
    assert interpreter.largest_activation == ("a_to_fp16", math.inf)
    # Each run is judged by itself, by magnitude and not by sign.
    interpreter.run(
        {name: -tensor for name, tensor in inputs.items()} | {"a": torch.ones(1, 3, 4, 5)}
    )
    assert interpreter.largest_activation[1] == 7.0


def test_inputs_that_do_not_fit_are_refused(chain):
    good = {name: torch.from_numpy(array) for name, array in _pair(1, 2).items()}
    interpreter = Interpreter(chain)
    for bad in (
        {},
        {"a": good["a"]},
        {**good, "c": good["a"]},
        {**good, "b": good["b"][:, :2]},
        {**good, "b": good["b"].double()},
    ):
        with pytest.raises(ValueError, match="expected"):
            interpreter.run(bad)


def test_counts_leave_constants_out(chain):
    assert operation_counts(chain) == {"add": 1, "cast": 3, "mul": 2, "sub": 1}
    counts = operation_counts(read_package(all_operators(fp16=False), NAME))
    assert counts["conv"] == 5
    assert counts["gelu"] == 2
    assert "const" not in counts


#: Of tiny untrained students, against the trained network with a float64 encoding. Weights in fp16
#: leave about 80 dB; in `rays` and `camera` the sampling of rays is a conv with such weights too.
EXACT_MIN_PSNR_DB = {"embedded": 75.0, "factored": 75.0, "rays": 60.0, "camera": 60.0}
#: The same with fp16 rounding after every operation, phases included.
FP16_MIN_PSNR_DB = 55.0


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_packages_render_what_the_trained_network_renders(layout):
    checkpoint = random_checkpoint(depth=4, sr_widths=(4,))
    image = layout.name == "factored"
    ios = {"embedded": 16, "rays": 17}.get(layout.name, 18)
    model = convert_student(checkpoint, layout, ios=ios, image=image)
    package = read_package(package_files(model), NAME)
    assert package.outputs[0].kind == ("image" if image else "tensor")
    camera = checkpoint.ray_camera(checkpoint.orbit.pose(30, 40, 4.1))
    wanted = student_frame_function(checkpoint)(camera)
    assert wanted.std() > 1e-3, "a constant image would hide every mistake"
    host = layout.host(camera, checkpoint.student.encoder)
    uploads = {name: array.astype(np.float32) for name, array in host.items()}
    scale = 255 if image else 1
    limits = {False: EXACT_MIN_PSNR_DB[layout.name], True: FP16_MIN_PSNR_DB}
    for emulate, limit in limits.items():
        found, interpreter = run(package, uploads, emulate_fp16=emulate)
        assert found["output"].shape == (1, 3, *wanted.shape[:2])
        frame = found["output"][0].transpose(1, 2, 0) / scale
        assert psnr_db(frame, wanted) >= limit
        assert 1 < interpreter.largest_activation[1] < 300


@pytest.fixture(scope="module")
def compressed():
    """Sparse 4-bit palettes of iOS 18."""
    import coremltools.optimize.coreml as optimize

    model = two_convs(ios=18)
    config = optimize.OpMagnitudePrunerConfig(target_sparsity=0.4, weight_threshold=64)
    model = optimize.prune_weights(model, optimize.OptimizationConfig(config))
    config = optimize.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=64)
    model = optimize.palettize_weights(
        model, optimize.OptimizationConfig(config), joint_compression=True
    )
    return package_files(model)


def _table(model):
    return find(model, "constexpr_lut_to_sparse").inputs["lut"].arguments[0]


def _vector_axis(model):
    inputs = find(model, "constexpr_lut_to_sparse").inputs
    inputs["vector_axis"].CopyFrom(inputs["lut"])


def _integer_table(model):
    palette = find(model, "constexpr_lut_to_sparse").inputs
    palette["lut"].CopyFrom(palette["indices_mask"])


def _grouped_table(model):
    sizes = _table(model).value.type.tensorType.dimensions
    sizes[0].constant.size, sizes[4].constant.size = 16, 1


def _computed_mask(model):
    find(model, "constexpr_sparse_to_dense").inputs["mask"].arguments[0].name = "a"


def _half_the_shape(model):
    output = find(model, "constexpr_sparse_to_dense").outputs[0]
    output.type.tensorType.dimensions[0].constant.size = 8


def _weight_as_output(model):
    function = model.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    block.outputs[0] = find(model, "constexpr_sparse_to_dense").outputs[0].name


REFUSED_WEIGHTS = {
    "parameter": (_vector_axis, r"has parameters \[.*'vector_axis'\], which mnelf does not use"),
    "type": (_integer_table, r"lut is uint1\[16, 24, 1, 1\], expected fp16 or fp32"),
    "table": (_grouped_table, "its parts do not fit together"),
    "operator": (
        lambda m: setattr(find(m, "constexpr_lut_to_sparse"), "type", "constexpr_cast"),
        "has parameters",
    ),
    "computed operand": (_computed_mask, "mask is not a single constant"),
    "declared shape": (
        _half_the_shape,
        r"declares fp16\[8, 24, 1, 1\], but holds fp16\[16, 24, 1, 1\]",
    ),
}


@pytest.mark.parametrize("case", REFUSED_WEIGHTS)
def test_weights_that_do_not_fit_together_are_refused(compressed, case):
    edit, message = REFUSED_WEIGHTS[case]
    package = read_package(edited(compressed, edit), NAME)
    with pytest.raises(BundleError, match=message) as error:
        Interpreter(package)
    assert str(error.value).startswith(f"{NAME}: operation ")


def test_a_mask_that_selects_more_than_is_stored_is_refused(compressed):
    package = read_package(compressed, NAME)
    (mask,) = package.program.operations[0].inputs["indices_mask"]
    packed = np.packbits(mask.array.ravel(), bitorder="little").tobytes()
    start = compressed[WEIGHTS].index(packed)
    data = bytearray(compressed[WEIGHTS])
    data[start] ^= 0x01
    with pytest.raises(BundleError, match=r"\d+ elements set, \d+ stored"):
        Interpreter(read_package(changed(compressed, WEIGHTS, bytes(data)), NAME))


def test_a_weight_is_no_output(compressed):
    with pytest.raises(BundleError, match="which no operation computes"):
        read_package(edited(compressed, _weight_as_output), NAME)


@pytest.mark.parametrize("kind", ["all operators", "compressed"])
def test_damage_ends_in_an_error_or_in_a_frame(compressed, kind):
    """Never in another exception: truncated or with one byte changed, in any of the files."""
    files = compressed if kind == "compressed" else all_operators(fp16=True)
    rng = np.random.default_rng(7)
    refused = changes = 0
    for index in range(120):
        # Most of the structure is in the model file.
        path = [MODEL, MODEL, MODEL, MANIFEST, WEIGHTS][index % 5]
        data = files[path]
        place = int(rng.integers(len(data)))
        if rng.random() < 0.3:
            damaged = data[:place]
        else:
            byte = data[place] ^ int(rng.integers(1, 256))
            damaged = data[:place] + bytes([byte]) + data[place + 1 :]
        try:
            package = read_package(changed(files, path, damaged), NAME)
            uploads = {feature.name: torch.ones(feature.shape) for feature in package.inputs}
            results = Interpreter(package).run(uploads)
        except BundleError:
            refused += 1
        else:
            assert results
            changes += 1
    assert refused > 60
    assert changes > 0


def test_verifying_needs_no_coremltools(tmp_path):
    for path, data in all_operators(fp16=True).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    script = f"""
import sys
from pathlib import Path
sys.modules["coremltools"] = None
sys.path[:] = {sys.path!r}
import torch
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import read_package
root = Path({str(tmp_path)!r})
files = {{p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}}
package = read_package(files, {NAME!r})
uploads = {{feature.name: torch.ones(feature.shape) for feature in package.inputs}}
print(sorted(Interpreter(package).run(uploads)) == sorted({list(ORACLES)!r}))
"""
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=600
    )
    assert result.stdout.strip() == "True"


def test_without_protobuf_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.protobuf.message", None)
    with pytest.raises(MissingExtraError, match=r'pip install "mobile-nelf\[coreml\]"'):
        read_package(all_operators(fp16=False), NAME)
