"""What the user of target web may choose."""

from __future__ import annotations

from dataclasses import dataclass

from mobile_nelf.export.options import option
from mobile_nelf.vocabulary import ActivationForm, PageWeights

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Activation, and how the page stores its weights.

    Attributes:
        activation: how the page computes the activation; the trained one if `None`.
        page_weights: fp16 if `None`.
    """

    activation: ActivationForm | None = option(
        "How the model computes the activation. Default: what the target supports."
    )
    page_weights: PageWeights | None = option(
        "How a page stores its weights. Default: fp16, half of the bytes."
    )
