"""Compressed weights of a Core ML package, through `coremltools.optimize.coreml`.

Activations stay fp16, and a device unpacks the weights when it loads the model or while it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from mobile_nelf.vocabulary import WeightForm
from mobile_nelf_exporters.coreml.convert import quiet_coremltools

__all__ = ["MIN_ELEMENTS", "MIN_ZEROS", "compress", "palette"]

#: Weights of up to so many elements stay fp16. They are the last layers, at the highest resolution:
#: little to store, and every error is in the picture at once.
MIN_ELEMENTS = 2048

#: Share of zeros from which on a mask of a bit a weight is worth its place beside fp16.
MIN_ZEROS = 1 / 16

#: Bits of an index that every version of the format has.
SIZES = (1, 2, 4, 6, 8)

#: Rounds of k-means; it stands still long before.
MAX_ROUNDS = 1000


def compress(model: Any, weights: WeightForm) -> Any:
    """Returns a copy of an ML program with fp16 weights that stores them in another form.

    Args:
        model: a `coremltools.models.MLModel`.
        weights: `fp16` returns `model` itself; `int8` has a scale for each output channel,
            `palette6` and `palette4` have tables of 64 and 16 values for each layer,
            `palette-mixed` the smallest table that holds all values of a layer, `sparse` leaves
            out the weights that are zero already, `sparse50` the smaller half of each layer.
            Weights that have few values already, as those of `compression.palettes`, are stored
            exactly.

    Raises:
        MissingExtraError: coremltools is not installed.
    """
    if weights == "fp16":
        return model
    with quiet_coremltools() as ct:
        return _COMPRESSORS[weights](ct.optimize.coreml, model)


def _int8(optimize: Any, model: Any) -> Any:
    config = optimize.OpLinearQuantizerConfig(
        mode="linear_symmetric", dtype="int8", weight_threshold=MIN_ELEMENTS
    )
    return optimize.linear_quantize_weights(model, optimize.OptimizationConfig(config))


def _palettized(optimize: Any, model: Any, bits: int | None) -> Any:
    # The library's own k-means takes scikit-learn and 12 s for a full student, and stops early.
    config = optimize.OpPalettizerConfig(
        mode="custom",
        lut_function=_smallest_palette if bits is None else partial(palette, bits=bits),
        weight_threshold=MIN_ELEMENTS,
    )
    return optimize.palettize_weights(model, optimize.OptimizationConfig(config))


def _sparse(optimize: Any, model: Any, share: float) -> Any:
    config = optimize.OpMagnitudePrunerConfig(target_sparsity=share, weight_threshold=MIN_ELEMENTS)
    return optimize.prune_weights(model, optimize.OptimizationConfig(config))


def _without_zeros(optimize: Any, model: Any) -> Any:
    config = optimize.OpThresholdPrunerConfig(
        threshold=0.0, minimum_sparsity_percentile=MIN_ZEROS, weight_threshold=MIN_ELEMENTS
    )
    return optimize.prune_weights(model, optimize.OptimizationConfig(config))


_COMPRESSORS: dict[WeightForm, Callable[[Any, Any], Any]] = {
    "int8": _int8,
    "palette6": partial(_palettized, bits=6),
    "palette4": partial(_palettized, bits=4),
    "palette-mixed": partial(_palettized, bits=None),
    "sparse": _without_zeros,
    "sparse50": partial(_sparse, share=0.5),
}


def _smallest_palette(
    weight: npt.NDArray[np.float16],
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]:
    """Returns the smallest `palette` that holds all values, or the largest one that there is."""
    # NumPy 2.4 sorts float16 wrongly on some processors and then counts equal values twice.
    distinct = len(np.unique(weight.astype(np.float32)))
    return palette(weight, next((bits for bits in SIZES if distinct <= 1 << bits), SIZES[-1]))


def palette(
    weight: npt.NDArray[np.float16], bits: int
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.uint8]]:
    """Returns the table of 2^bits values that stands for `weight`, and each element's place in it.

    Plain k-means on the distinct values, of which fp16 has few; so no round costs more than a pass
    over those, and no start is random.

    Args:
        weight: any shape.
        bits: up to 8.

    Returns:
        The table in ascending order, and the places in row-major order of `weight`.
    """
    distinct, places, counts = np.unique(weight, return_inverse=True, return_counts=True)
    size = 1 << bits
    if len(distinct) <= size:
        whole = np.pad(distinct, (0, size - len(distinct)), mode="edge")
        return whole, places.ravel().astype(np.uint8)
    values = distinct.astype(np.float64)
    # Sums of the first n values, and how many elements they stand for.
    total = np.concatenate([[0.0], np.cumsum(values * counts)])
    number = np.concatenate([[0], np.cumsum(counts)])
    borders = np.zeros(0, np.int64)
    table = _start(values, counts, size)
    for _ in range(MAX_ROUNDS):
        moved = np.searchsorted(values, (table[1:] + table[:-1]) / 2)
        if np.array_equal(moved, borders):
            break
        borders = moved
        inside = np.diff(number[[0, *borders, -1]])
        sums = np.diff(total[[0, *borders, -1]])
        # A value that stands for nothing stays where it is.
        table = np.where(inside > 0, sums / np.maximum(inside, 1), table)
    nearest = np.searchsorted(borders, np.arange(len(values)), side="right")
    return table.astype(np.float16), nearest[places.ravel()].astype(np.uint8)


def _start(
    values: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], size: int
) -> npt.NDArray[np.float64]:
    """Returns values as dense as the cube root of the weights' density.

    That is the best density of many values, by Bennett's approximation of the error.
    """
    bins = 8 * size
    heights, edges = np.histogram(values, bins, weights=counts)
    share = np.concatenate([[0.0], np.cumsum(np.cbrt(heights))])
    start: npt.NDArray[np.float64] = np.interp(
        (np.arange(size) + 0.5) / size * share[-1], share, edges
    )
    return start
