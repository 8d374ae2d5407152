"""What the Neural Engine runs: one row an operator of Core ML's MIL.

Apple publishes no such table. The rows rest on measurements of others, most of them on an M1 and
some of them past Core ML, and on what is generally known; none of them was confirmed on a device of
ours. The compute plan that the benchmark app reads on a device overrules them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["EVERYWHERE", "PLACEMENT_RULES", "Limit", "LimitRule", "PlacementRule"]

#: Section 17 "Model-design rules" of the public ANE guide (S. Bryngelson, 2026), validator limits
#: found by sweeping sizes on an M1.
GUIDE = "ANE guide, section 17 (2026), measured on an M1"
#: Operators by chip generation, from the same author's ANEForge; chips from A13 to A17.
CATALOGUE = "ANEForge operator catalogue (2026)"
GENERAL = "general knowledge, to confirm on a device"
#: The section on quantization of weights and activations.
EIGHT_BITS = "coremltools guide, W8A8 on an A17 Pro"

LimitRule = Literal[
    "never",  # it does not run there
    "fp16",  # the result is fp16
    "rank",  # the result has at most `values[0]` axes
    "extent",  # channels, rows and columns of operands and result are at most `values`
    "kernel",  # rows and columns of the kernel are at most `values`
    "stride",  # no stride is larger than `values[0]`
]


@dataclass(frozen=True)
class Limit:
    """A condition under which an operation runs on the Neural Engine.

    Attributes:
        rule: kind of condition, interpreted by `placement`.
        text: what the report says where it is not met.
        source: where the condition is stated.
        values: what the rule compares with.
    """

    rule: LimitRule
    text: str
    source: str
    values: tuple[int, ...] = ()


@dataclass(frozen=True)
class PlacementRule:
    """An operator and when the Neural Engine runs it.

    Attributes:
        kind: as MIL calls it.
        source: where it is stated that the Neural Engine has it.
        limits: conditions, apart from those in `EVERYWHERE`.
        note: what a reader should know even where it runs.
    """

    kind: str
    source: str
    limits: tuple[Limit, ...] = ()
    note: str = ""


#: Conditions on every operation.
EVERYWHERE = (
    Limit(
        "fp16",
        "Computed in float32; the Neural Engine computes in fp16 only",
        f"{GUIDE}; coremltools issues 1761 and 1984",
    ),
    Limit("rank", "More than 5 axes", GUIDE, (5,)),
    Limit(
        "extent",
        "Larger than 65536 channels or 16384 rows or columns",
        f"{GUIDE}; larger from the A16 on",
        (65536, 16384, 16384),
    ),
)

_KERNEL = Limit("kernel", "Kernel larger than 29 rows or 13 columns", GUIDE, (29, 13))
_STRIDE = Limit(
    "stride",
    "Stride of 3 or more; the engine has transposed convs of stride 1 and 2, and with 16 a model "
    "failed to load on an iPhone",
    "ANE guide, appendix C; coremltools issue 2450",
    (2,),
)
_TRIGONOMETRY = Limit(
    "never",
    "Only an A15, an M3 or later has it, and in fp16, which phases do not survive",
    CATALOGUE,
)
_BORDER = Limit(
    "never",
    "Converts from or to float32, which the Neural Engine neither reads nor writes",
    f"{CATALOGUE}: tensors at its border are fp16; {GENERAL}",
)

_RULES = (
    PlacementRule("add", CATALOGUE),
    PlacementRule("cast", CATALOGUE, (_BORDER,)),
    PlacementRule("concat", CATALOGUE),
    PlacementRule("conv", f"{GUIDE}; {CATALOGUE}", (_KERNEL,)),
    PlacementRule("conv_transpose", f"{GUIDE}; {CATALOGUE}", (_KERNEL, _STRIDE)),
    PlacementRule("cos", CATALOGUE, (_TRIGONOMETRY,)),
    PlacementRule("dequantize", EIGHT_BITS),
    PlacementRule(
        "gelu",
        CATALOGUE,
        note="the Neural Engine takes GELU from a table; on an M1 that was off by 0.0059 at most "
        "(ANE guide, section 3). A leg of its own emulates it; train with ReLU if the picture "
        "suffers",
    ),
    PlacementRule("mul", f"{CATALOGUE}; a row against a column as in {GUIDE}, row Broadcast"),
    PlacementRule(
        "quantize",
        EIGHT_BITS,
        note="8 bits are said to be faster from the A17 Pro and the M4 on, and to be slower on a "
        "CPU or GPU (coremltools guide); no device of ours has run them",
    ),
    PlacementRule("relu", CATALOGUE),
    PlacementRule("sigmoid", CATALOGUE),
    PlacementRule("sin", CATALOGUE, (_TRIGONOMETRY,)),
    PlacementRule("slice_by_index", f"{CATALOGUE}: folded into its reader"),
    PlacementRule("sub", CATALOGUE),
    PlacementRule("tanh", CATALOGUE),
)

#: Every operator that something is known about, by kind.
PLACEMENT_RULES: dict[str, PlacementRule] = {row.kind: row for row in _RULES}
