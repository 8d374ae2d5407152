"""Where operations run by the rules, on programs made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mobile_nelf_exporters.coreml.facts import OperationFacts, ProgramFacts, program_cost
from mobile_nelf_exporters.coreml.placement import UNKNOWN, place
from mobile_nelf_exporters.coreml.placement_rules import EVERYWHERE, PLACEMENT_RULES

SIZE = (1, 8, 6, 5)


def operation(kind="relu", name="result", *, precision="fp16", output=SIZE, weight=None, **more):
    inputs = {"x": (more.pop("x", SIZE),)}
    if weight is not None:
        inputs["weight"] = (weight,)
    return OperationFacts(
        kind, name, precision, more.pop("reads", ("input",)), inputs, output, more
    )


def program(*operations):
    return ProgramFacts({"input": SIZE}, operations, (operations[-1].name,))


def only_row(**facts):
    (row,) = place(program(operation(**facts))).rows
    return row


CONV = {"kind": "conv", "weight": (8, 8, 1, 1), "strides": [1, 1]}


@pytest.mark.parametrize("kind", ["add", "mul", "sub", "concat", "relu", "sigmoid", "tanh"])
def test_plain_operations_in_fp16_run_on_the_neural_engine(kind):
    row = only_row(kind=kind)
    assert (row.unit, row.reason, row.count) == ("neural_engine", "", 1)


def test_the_same_operation_in_float32_does_not():
    row = only_row(**CONV, precision="fp32")
    assert row.unit == "gpu_or_cpu"
    assert "float32" in row.reason
    assert row.precision == "fp32"


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"weight": (8, 8, 29, 13)}, ""),
        ({"weight": (8, 8, 30, 13)}, "29 rows or 13 columns"),
        ({"weight": (8, 8, 29, 14)}, "29 rows or 13 columns"),
        ({"output": (1, 65536, 1, 16384)}, ""),
        ({"output": (1, 65537, 1, 1)}, "65536 channels"),
        ({"output": (1, 8, 16385, 1)}, "16384 rows"),
        ({"x": (1, 8, 1, 16385)}, "columns"),
        ({"kind": "conv_transpose", "strides": [2, 2]}, ""),
        ({"kind": "conv_transpose", "strides": [3, 3]}, "Stride of 3"),
        ({"kind": "conv", "strides": [16, 16]}, ""),
    ],
)
def test_limits_hold_up_to_their_last_value(facts, words):
    row = only_row(**{**CONV, **facts})
    assert (row.unit == "neural_engine") == (words == "")
    assert words in row.reason


def test_rank_is_limited():
    assert only_row(output=(1, 1, 8, 6, 5)).unit == "neural_engine"
    assert "axes" in only_row(output=(1, 1, 1, 8, 6, 5)).reason


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
@pytest.mark.parametrize("kind", ["sin", "cos"])
def test_trigonometry_never_runs_there(kind, precision):
    assert "A15" in only_row(kind=kind, precision=precision).reason


def test_what_nobody_knows_is_not_promised():
    assert only_row(kind="grid_sample").reason == UNKNOWN


def test_rows_tell_forms_apart_and_count():
    report = place(
        program(
            operation(**CONV, name="a"),
            operation(**CONV, name="b"),
            operation(**{**CONV, "strides": [2, 2]}, name="c"),
            operation("gelu", "d", mode="EXACT"),
            operation("gelu", "e", mode="TANH_APPROXIMATION"),
            operation("cast", "f", precision="fp32", dtype="fp32"),
        )
    )
    assert [(row.kind, row.form, row.count) for row in report.rows] == [
        ("conv", "1×1", 2),
        ("conv", "1×1, stride 2", 1),
        ("gelu", "EXACT", 1),
        ("gelu", "TANH_APPROXIMATION", 1),
        ("cast", "to fp32", 1),
    ]
    assert report.count("neural_engine") == 5
    assert report.count("neural_engine", ("conv", "gelu")) == 5
    assert report.count("gpu_or_cpu", ("conv",)) == 0
    assert report.count("gpu_or_cpu") == 1
    assert len(report.notes) == 1
    assert "GELU" in report.notes[0]


def test_a_note_is_about_what_runs_there():
    assert place(program(operation("gelu", precision="fp32", mode="EXACT"))).notes == ()


def test_every_rule_and_limit_has_a_source():
    for kind, rule in PLACEMENT_RULES.items():
        assert rule.kind == kind
        assert rule.source
        assert all(limit.source and limit.text for limit in (*rule.limits, *EVERYWHERE))


def test_cost_of_a_program_worked_out_by_hand():
    """input [1, 8, 6, 5] → conv to 4 channels → transposed conv ×2 → + itself."""
    conv = operation(**{**CONV, "weight": (4, 8, 3, 3)}, name="conv", output=(1, 4, 6, 5))
    up = operation(
        "conv_transpose",
        "up",
        x=(1, 4, 6, 5),
        weight=(4, 2, 4, 4),
        output=(1, 2, 12, 10),
        reads=("conv",),
    )
    both = operation("add", "both", output=(1, 2, 12, 10), reads=("up", "up"))
    cost = program_cost(program(conv, up, both))
    assert cost.macs == (4 * 6 * 5) * (8 * 3 * 3) + (4 * 6 * 5) * (2 * 4 * 4)
    # The sum needs its operand and its result; the conv needed 240 + 120 numbers before.
    assert cost.peak_activation_bytes == 4 * (240 + 240)
    # Read once more at the end, the conv's result stays alive all the time.
    held = replace(both, reads=("up", "conv"))
    assert program_cost(program(conv, up, held)).peak_activation_bytes == 4 * (240 + 240 + 120)
