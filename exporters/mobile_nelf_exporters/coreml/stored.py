"""The weights of a converted model in the form that was asked for."""

from __future__ import annotations

from typing import Any

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.eight_bits import INT8
from mobile_nelf.vocabulary import WeightForm
from mobile_nelf_exporters.coreml.activations import activations_in_8_bits
from mobile_nelf_exporters.coreml.compress import compress

__all__ = ["stored_as"]


def stored_as(form: WeightForm, model: Any, checkpoint: Checkpoint, contract: Contract) -> Any:
    """Returns a model that stores its weights in a form, and its body's activations if it says so.

    Args:
        form: of the weights.
        model: a `coremltools.models.MLModel` with fp16 weights.
        checkpoint: what it was converted from.
        contract: of the package.
    """
    if form == INT8:
        return activations_in_8_bits(model, checkpoint, contract)
    return compress(model, form)
