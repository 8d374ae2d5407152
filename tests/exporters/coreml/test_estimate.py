"""The estimate of a frame's time, on programs made by hand."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.coreml.estimate import (
    CHIPS,
    ESTIMATE_TITLE,
    FLOOR_MS,
    estimate_ms,
    estimate_table,
    layouts_table,
    traffic,
)
from mobile_nelf_exporters.coreml.facts import OperationFacts, ProgramFacts
from tests.helpers.coreml.apps import ios_contract

M1 = CHIPS[0]


def conv(name, source, shape, channels, size):
    """A 1×1 conv to `channels` on a square of `size`."""
    return OperationFacts(
        "conv", name, "fp16", (source,),
        {"x": (shape,), "weight": ((channels, shape[1], 1, 1),)},
        (1, channels, size, size), {"strides": [1, 1]},
    )  # fmt: skip


def joined(kind, name, source, shape):
    return OperationFacts(kind, name, "fp16", (source,), {"x": (shape,)}, shape, {})


def body(size, width):
    """A conv and its activation."""
    shape = (1, width, size, size)
    layers = (conv("a", "x", shape, width, size), joined("relu", "b", "a", shape))
    return ProgramFacts({"x": shape}, layers, ("b",))


def test_a_layer_that_stays_on_the_chip_is_bound_by_its_sums():
    program = body(50, 128)
    operations = 2 * 50 * 50 * 128 * 128
    fast, slow = estimate_ms(program, M1)
    assert fast == pytest.approx(FLOOR_MS + operations / 12e9)
    assert slow == pytest.approx(FLOOR_MS + operations / 8.1e9)
    found = traffic(program)
    assert found.total == 2 * 2 * 128 * 50 * 50
    assert (found.outside, found.casts, found.wide) == (0, 0, 0)


def test_a_larger_one_runs_at_the_slower_rate():
    program = body(100, 256)
    operations = 2 * 100 * 100 * 256 * 256
    assert estimate_ms(program, M1)[0] == pytest.approx(FLOOR_MS + operations / 4.8e9)
    found = traffic(program)
    assert found.outside == found.total == 2 * 2 * 256 * 100 * 100
    assert found.largest == 2 * 256 * 100 * 100
    assert found.wide == 1


def test_an_operation_by_itself_waits_for_the_memory():
    shape = (1, 144, 100, 100)
    product = OperationFacts(
        "mul", "a", "fp16", ("u", "v"),
        {"x": ((1, 144, 1, 100),), "y": ((1, 144, 100, 1),)}, shape, {},
    )  # fmt: skip
    cast = OperationFacts("cast", "b", "fp32", ("a",), {"x": (shape,)}, shape, {"dtype": "fp32"})
    program = ProgramFacts({"u": (1, 144, 1, 100), "v": (1, 144, 100, 1)}, (product, cast), ("b",))
    # A row of one number takes 32 on the engine.
    moved = 2 * 144 * (100 + 32 * 100 + 100 * 100)
    again = 2 * 2 * 144 * 100 * 100
    fast, slow = estimate_ms(program, M1)
    assert fast == pytest.approx(FLOOR_MS + (moved + again) / 85e6)
    assert slow == pytest.approx(FLOOR_MS + (moved + again) / 51e6)
    assert traffic(program).casts == 1


def test_the_table_says_that_it_is_an_estimate_and_whose():
    table = estimate_table(body(100, 256))
    assert table.title == ESTIMATE_TITLE
    assert [row.cells[0] for row in table.rows] == ["A14, M1", "A15, M2", "M4"]
    fast, slow = estimate_ms(body(100, 256), M1)
    assert table.rows[0].cells[1] == f"{fast:.2g}-{slow:.2g}"
    notes = " ".join(table.notes)
    for words in ("Sources: ANE guide", "compared with no device", "1 convs of 1×1", "0 casts"):
        assert words in notes


def test_a_row_of_one_number_takes_the_width_of_the_engine():
    """The tables of rows of layout `factored`, [1, P, H, 1]: 32 numbers each (ANE guide, 17)."""
    rows, columns = (1, 144, 100, 1), (1, 144, 1, 100)
    product = OperationFacts(
        "mul", "m", "fp16", ("a", "b"), {"x": (columns,), "y": (rows,)}, (1, 144, 100, 100), {}
    )
    found = traffic(ProgramFacts({"a": columns, "b": rows}, (product,), ("m",)))
    assert found.total == 2 * 144 * 100 * (100 + 1 + 32)


def test_layouts_stand_side_by_side():
    contract = ios_contract()
    table = layouts_table([(contract, body(50, 128)), (contract, body(50, 128))])
    (row,) = table.rows
    fast, slow = estimate_ms(body(50, 128), M1)
    assert row.cells[0] == "factored"
    assert row.cells[2] == f"{contract.upload_bytes / 1e3:.4g} kB"
    assert row.cells[-1] == f"{fast:.2g}-{slow:.2g}"
