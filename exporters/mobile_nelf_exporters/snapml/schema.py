"""What a row of the operator table can say. The rows are in `table`, the readers elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["BACKENDS", "BACKEND_TITLES", "Backend", "Operator", "Restriction", "Rule"]

Backend = Literal["cpu", "iphone_gpu", "iphone_npu", "android_gpu"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)
BACKEND_TITLES: dict[Backend, str] = {
    "cpu": "CPU",
    "iphone_gpu": "iPhone GPU",
    "iphone_npu": "iPhone NPU",
    "android_gpu": "Android GPU",
}

Rule = Literal[
    "allowed",  # every entry of `attribute` is one of `values`
    "axis",  # `attribute`, counted from the front, is one of `values`
    "axes",  # the set of reduced axes is one of `values`
    "broadcast",  # operands broadcast at most as `values[0]` says: none, one, first_largest
    "clip",  # the bounds are `values`
    "constant",  # the inputs at the positions `values` are constants
    "equal",  # all entries of `attribute` are equal
    "group",  # one group, or as many as there are input channels
    "padding",  # no entry of `pads` is larger than the kernel along its axis
    "rank",  # the first input has one of the ranks `values`
    "readers",  # only operators of the layers `values` read the output
    "scale",  # height and width are resized by the same factor, batch and channels not at all
    "shape",  # the constant at position `values[0]` holds no zero
]


@dataclass(frozen=True)
class Restriction:
    """A condition under which a layer is supported; it bites where the condition does not hold.

    Attributes:
        rule: kind of condition, interpreted by `rules`.
        text: what the report says where it bites.
        source: where the condition is stated.
        backends: where it applies.
        attribute: name of the ONNX attribute that the rule reads.
        values: what the rule compares with.
        default: what the attribute is when the node does not carry it.
    """

    rule: Rule
    text: str
    source: str
    backends: tuple[Backend, ...] = BACKENDS
    attribute: str = ""
    values: tuple[object, ...] = ()
    default: int | str | None = None


@dataclass(frozen=True)
class Operator:
    """An ONNX operator and what Lens Studio's SnapML importer makes of it.

    Attributes:
        op: ONNX operator type, default domain.
        layer: SnapML layer; None if the importer has no counterpart.
        source: where support or its absence is stated; where sources disagree, the one that wins
            and why.
        missing: back-ends without the layer.
        restrictions: conditions on attributes and shapes.
        parameters: positions of inputs that become part of the layer, weights and settings; a
            constant at any other position becomes a `constant` layer of its own.
        half: positions of inputs that the importer stores as fp16.
        becomes: operators that stand for this one after import; None for itself alone, empty if
            the importer drops it.
        opsets: lowest and highest opset with which it is known to be imported.
        advice: what to use instead, for operators without a layer.
    """

    op: str
    layer: str | None
    source: str
    missing: tuple[Backend, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    parameters: tuple[int, ...] = ()
    half: tuple[int, ...] = ()
    becomes: tuple[str, ...] | None = None
    opsets: tuple[int, int] = (9, 11)
    advice: str = ""
