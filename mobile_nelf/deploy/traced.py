"""Calls of the traced graph by the names of their parameters, for every writer of a target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from torch import fx

__all__ = ["CONV", "CONV_TRANSPOSE", "call_of"]

#: Parameters of the traced calls in their order, with the defaults that a trace leaves out.
CONV: Mapping[str, Any] = MappingProxyType(
    {
        "value": None,
        "weight": None,
        "bias": None,
        "stride": [1, 1],
        "padding": [0, 0],
        "dilation": [1, 1],
        "groups": 1,
    }
)
CONV_TRANSPOSE: Mapping[str, Any] = MappingProxyType(
    {
        "value": None,
        "weight": None,
        "bias": None,
        "stride": [1, 1],
        "padding": [0, 0],
        "output_padding": [0, 0],
        "groups": 1,
        "dilation": [1, 1],
    }
)


def call_of(node: fx.Node, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of a traced call by name, filled up with defaults.

    Args:
        node: the call.
        parameters: names in the order of the schema, with their defaults.
    """
    return {**parameters, **dict(zip(parameters, node.args, strict=False)), **node.kwargs}
