"""The test vectors of the Swift package against what `mobile_nelf` computes now."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from mobile_nelf.devices import read_measurement
from tests.golden.write_vectors import VECTORS, vectors

#: libm differs between machines in the last bits of a sine; phases reach a few hundred, where one
#: rounding is 3e-14.
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def computed() -> dict[str, Any]:
    # Through JSON, as the files went, so that tuples are lists.
    return json.loads(json.dumps(vectors()))


def _difference(stored: Any, now: Any, path: str) -> str:
    """Where two JSON values differ first; empty if nowhere."""
    if isinstance(stored, dict) and isinstance(now, dict):
        if stored.keys() != now.keys():
            return f"{path}: keys {sorted(stored.keys() ^ now.keys())}"
        pairs = [(stored[key], now[key], f"{path}.{key}") for key in stored]
    elif isinstance(stored, list) and isinstance(now, list):
        if len(stored) != len(now):
            return f"{path}: {len(stored)} and {len(now)} items"
        both = enumerate(zip(stored, now, strict=True))
        pairs = [(old, new, f"{path}[{index}]") for index, (old, new) in both]
    elif isinstance(stored, float) and isinstance(now, float):
        same = math.isclose(stored, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return "" if same else f"{path}: {stored} and {now}"
    else:
        return "" if stored == now else f"{path}: {stored!r} and {now!r}"
    return next(filter(None, (_difference(*pair) for pair in pairs)), "")


def test_there_is_no_other_file(computed):
    assert sorted(path.name for path in VECTORS.iterdir()) == sorted(computed)


@pytest.mark.parametrize(
    "name", ["orbits.json", "layouts.json", "statistics.json", "bench.json", "result.json"]
)
def test_vectors_are_up_to_date(computed, name):
    stored = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    if name == "bench.json":
        # Of the mnelf that wrote the file; raising the version must not change the vectors.
        computed[name]["mnelf_version"] = stored["mnelf_version"]
    assert _difference(stored, computed[name], name) == "", (
        "run python -m tests.golden.write_vectors"
    )


def test_a_changed_number_is_noticed(computed):
    changed = json.loads(json.dumps(computed["layouts.json"]))
    changed[1]["uploads"]["factored"]["sin_rows"][5] += 1e-9
    assert "sin_rows[5]" in _difference(computed["layouts.json"], changed, "")


def test_mnelf_reads_the_shared_result_file():
    """The Swift tests write the very same content from the app's own types."""
    measurement = read_measurement(VECTORS / "result.json")
    assert [run.error for run in measurement.runs] == [None, "made up"]
    assert measurement.runs[0].placement_by_operation == {
        "ios17.conv": {"neural_engine": 1, "gpu": 1}
    }
