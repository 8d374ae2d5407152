"""What the user of target onnx may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import SharedOptions, option

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(SharedOptions):
    """Layout, activation, and 8 bits.

    Attributes:
        quantize: compute in 8 bits, but for the head and the last stage.
    """

    quantize: bool = option(
        "Compute in 8 bits (QDQ), but for the head and the last stage; not proved on a device.",
        flag=True,
    )
