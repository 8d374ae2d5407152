"""Every operator against plain arithmetic, and what no kernel does."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter, operation_counts
from mobile_nelf_exporters.coreml.package.package import canonical_dump, read_package
from tests.helpers.coreml.models import NAME, edited, find, operations
from tests.helpers.coreml.operators import INPUTS, ORACLES, SAME_ARITHMETIC, all_operators, run


def _as_is(array):
    return array.astype(np.float64)


def _to_fp16(array):
    return array.astype(np.float16).astype(np.float64)


def _wanted(name, quantize):
    return ORACLES[name](quantize, *(quantize(array) for array in INPUTS.values()))


@pytest.fixture(scope="module")
def outputs():
    fp32, fp16 = (read_package(all_operators(fp16=half), NAME) for half in (False, True))
    return {
        "fp32": run(fp32, INPUTS)[0],
        "exact": run(fp16, INPUTS)[0],
        "emulated": run(fp16, INPUTS, emulate_fp16=True)[0],
    }


@pytest.mark.parametrize("name", ORACLES)
def test_operators_in_float32(outputs, name):
    wanted = _wanted(name, _as_is)
    assert outputs["fp32"][name].dtype == np.float32
    assert outputs["fp32"][name].shape == wanted.shape
    np.testing.assert_allclose(
        outputs["fp32"][name], wanted, rtol=SAME_ARITHMETIC, atol=SAME_ARITHMETIC
    )


@pytest.mark.parametrize("name", ORACLES)
def test_exact_mode_rounds_what_is_stored_and_uploaded_and_nothing_else(outputs, name):
    wanted = _wanted(name, _to_fp16)
    np.testing.assert_allclose(
        outputs["exact"][name], wanted, rtol=SAME_ARITHMETIC, atol=SAME_ARITHMETIC
    )


@pytest.mark.parametrize("name", ORACLES)
def test_fp16_mode_rounds_the_result(outputs, name):
    found = outputs["emulated"][name]
    wanted = _wanted(name, _to_fp16)
    np.testing.assert_array_equal(found, found.astype(np.float16))
    # Half a step of fp16, and what a sum in float32 is off where it decides the rounding.
    step = np.spacing(np.abs(wanted).astype(np.float16)).astype(np.float64)
    assert (np.abs(found - wanted) <= step / 2 + SAME_ARITHMETIC).all()


def _constant(model, operator, parameter):
    """The value of a constant operand of the first operation of a type."""
    name = find(model, operator).inputs[parameter].arguments[0].name
    (const,) = (op for op in operations(model) if op.outputs[0].name == name)
    return const.attributes["val"].immediateValue.tensor


def _say(operator, parameter, text):
    def edit(model):
        _constant(model, operator, parameter).strings.values[0] = text

    return edit


def _number(operator, parameter, index, value, field="ints"):
    def edit(model):
        getattr(_constant(model, operator, parameter), field).values[index] = value

    return edit


def _output_type(operator, change):
    def edit(model):
        change(find(model, operator).outputs[0].type.tensorType)

    return edit


def _operand(operator, parameter, name):
    def edit(model):
        find(model, operator).inputs[parameter].arguments[0].name = name

    return edit


def _add_parameter(model):
    relu = find(model, "relu").inputs
    relu["alpha"].CopyFrom(relu["x"])


def _add_attribute(model):
    find(model, "relu").attributes["alpha"].CopyFrom(find(model, "const").attributes["val"])


def _second_operand(model):
    argument = find(model, "relu").inputs["x"]
    argument.arguments.add().CopyFrom(argument.arguments[0])


#: What a program asks for, and what must be said about it.
REFUSED = {
    "operator": (lambda m: setattr(find(m, "relu"), "type", "tanh"), r"\(tanh\): unknown operator"),
    "parameter": (_add_parameter, "unknown parameters alpha"),
    "attribute": (_add_attribute, "unknown parameters alpha"),
    "missing parameter": (
        lambda m: find(m, "conv").inputs.pop("groups"),
        "0 operands groups, expected one",
    ),
    "two operands": (_second_operand, "2 operands x, expected one"),
    "gelu": (_say("gelu", "mode", "SIGMOID_APPROXIMATION"), "mode is 'SIGMOID_APPROXIMATION'"),
    "padding": (_say("conv", "pad_type", "same"), "pad_type is 'same'"),
    "padding that is ignored": (
        lambda m: _constant(m, "conv", "pad").ints.values.__setitem__(slice(None), [1] * 4),
        r"pad is \[1, 1, 1, 1\] of type valid",
    ),
    "one-sided padding": (_number("conv_transpose", "pad", 0, 0), "pad is"),
    "dilation": (_number("conv", "dilations", 1, 2), r"dilations is \[1, 2\]"),
    "groups": (_number("conv", "groups", 0, 2), "do not fit together"),
    "no groups": (_number("conv", "groups", 0, 0), "groups 0, expected 1 or more"),
    "stride": (_number("conv", "strides", 0, 0), r"strides \[0, 1\] and groups 1, expected"),
    "another stride": (_number("conv", "strides", 0, 2), "but computes"),
    "output shape": (_number("conv_transpose", "output_shape", 3, 11), "output_shape is"),
    "interleaved": (
        _number("concat", "interleave", 0, True, "bools"),
        "interleave is True, expected False",
    ),
    "axis": (_number("concat", "axis", 0, 2), "axis is 2, expected 1"),
    "integers": (_say("cast", "dtype", "int32"), "dtype is 'int32', expected 'fp16' or 'fp32'"),
    "cast to what is not declared": (_say("cast", "dtype", "fp32"), "but computes fp32"),
    "slice": (_number("slice_by_index", "end", 1, 5), "takes"),
    "empty slice": (_number("slice_by_index", "begin", 3, 4), "takes"),
    "constant operand of another type": (
        _operand("slice_by_index", "begin", "slice_out_end_mask_0"),
        "begin is bool",
    ),
    "computed parameter": (_operand("gelu", "mode", "a_to_fp16"), "mode is the value a_to_fp16"),
    "two types": (_operand("add", "x", "c"), "operands of types fp16, fp32"),
    "concatenated": (_operand("concat", "values", "b"), "do not fit together"),
    "channels": (_operand("conv", "x", "d_to_fp16"), "do not fit together"),
    "channels of a transposed conv": (
        _operand("conv_transpose", "x", "d_to_fp16"),
        "do not fit together",
    ),
    "broadcast": (_operand("add", "x", "d_to_fp16"), "do not fit together"),
    "rank": (
        _operand("conv", "weight", "pointwise_out_bias_0_to_fp16"),
        "expected floats of rank 4",
    ),
    "length of the bias": (
        _operand("conv", "bias", "pointwise_out_weight_0_to_fp16"),
        r"shapes \[3, 4, 1, 1\] and \[3\] do not fit together",
    ),
    "bias": (_operand("conv", "bias", "pointwise_out_pad_0"), "bias is int32"),
    "declared shape": (
        _output_type("relu", lambda t: setattr(t.dimensions[1].constant, "size", 5)),
        r"declares fp16\[1, 5, 5, 6\], but computes fp16\[1, 4, 5, 6\]",
    ),
    "declared type": (
        _output_type("relu", lambda t: setattr(t, "dataType", 11)),
        r"declares fp32\[1, 4, 5, 6\], but computes fp16\[1, 4, 5, 6\]",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_kernel_does_is_refused(case):
    edit, message = REFUSED[case]
    package = read_package(edited(all_operators(fp16=True), edit), NAME)
    with pytest.raises(BundleError, match=message) as error:
        Interpreter(package)
    assert str(error.value).startswith(f"{NAME}: operation ")


def test_another_gelu_is_another_program():
    files = edited(all_operators(fp16=True), _say("gelu", "mode", "TANH_APPROXIMATION"))
    before, after = (read_package(f, NAME) for f in (all_operators(fp16=True), files))
    assert canonical_dump(before) != canonical_dump(after)
    assert operation_counts(before) == operation_counts(after)
    exact, tanh = (run(package, INPUTS)[0]["gelu_out"] for package in (before, after))
    # The difference hides in the weights' rounding, which is why the mode itself is compared.
    assert 0 < np.abs(exact - tanh).max() < 1e-3
