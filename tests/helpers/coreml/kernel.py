"""Runs the text of the app's Metal kernel as C++, of which Metal's language is a dialect."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.helpers.coreml.swift import HARNESS

SHADER = HARNESS / "Sources" / "NelfKit" / "EncoderShader.swift"

#: What Metal has and C++ lacks. A half is rounded by numpy, to nearest and ties to even as Metal
#: does, so here it keeps its single precision.
METAL = """
#define kernel extern "C"
#define device
#define constant const
typedef unsigned int uint;
typedef float half;
struct uint3 { uint x, y, z; };
namespace metal {}
"""

THREADS = """
extern "C" void run(half *input, const float *tables, const uint *sizes,
                    uint wide, uint tall, uint deep) {
    for (uint z = 0; z < deep; ++z)
        for (uint y = 0; y < tall; ++y)
            for (uint x = 0; x < wide; ++x)
                nelf_embed(input, tables, sizes, uint3{x, y, z});
}
"""

#: Of an input before the kernel runs; no encoding has it.
UNTOUCHED = 77.0

#: Single precision before half: a number on the border between two may go to the other one.
OTHER_HALVES = 0.002


def kernel_text() -> str:
    """Returns the kernel as the app hands it to Metal."""
    return SHADER.read_text(encoding="utf-8").split('"""')[1]


def run_kernel(
    folder: Path, tables: npt.NDArray[np.float32], sizes: Sequence[int], padding: int = 0
) -> npt.NDArray[np.float16]:
    """Returns [channels, height, width + padding] as the kernel leaves it.

    Args:
        folder: for the compiler.
        tables: those of `FactoredTables`, one after the other.
        sizes: coordinates, frequencies, width, height.
        padding: elements between the end of a row and the next one.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("the kernel was NOT run: no C++ compiler")
    (folder / "metal_stdlib").write_text(METAL, encoding="utf-8")
    source = folder / "kernel.cpp"
    source.write_text(kernel_text() + THREADS, encoding="utf-8")
    library = folder / "kernel.so"
    # It does not know the attributes that bind arguments.
    warnings = ("-Wall", "-Wextra", "-Werror", "-Wno-attributes", "-Wno-unknown-attributes")
    command = [compiler, "-O1", "-shared", "-fPIC", *warnings, "-I", folder, source, "-o", library]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    coordinates, levels, width, height = sizes
    step = width + padding
    out = np.full((coordinates * (2 * levels + 1), height, step), UNTOUCHED, np.float32)
    settings = np.array([*sizes, step], np.uint32)
    # Whole groups of threads, as the app starts them.
    threads = (-(-width // 32) * 32, -(-height // 4) * 4, coordinates)
    ctypes.CDLL(str(library)).run(
        out.ctypes.data_as(ctypes.c_void_p),
        np.ascontiguousarray(tables).ctypes.data_as(ctypes.c_void_p),
        settings.ctypes.data_as(ctypes.c_void_p),
        *threads,
    )
    return out.astype(np.float16)


def assert_same_halves(found: npt.NDArray[np.float16], exact: npt.NDArray[np.float64]) -> None:
    """Asserts that numbers are those in half precision, but for a few that are the next one."""
    expected = exact.astype(np.float16)
    different = found != expected
    assert different.mean() <= OTHER_HALVES
    spacing = np.spacing(np.abs(expected[different])).astype(np.float64)
    distance = np.abs(found[different].astype(np.float64) - expected[different])
    assert (distance <= spacing * 1.001).all()
