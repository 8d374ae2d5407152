"""What cannot be a Core ML package, said before anything is converted."""

from __future__ import annotations

from torch import nn

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.eight_bits import INT8
from mobile_nelf.deploy.layouts import Layout
from mobile_nelf.deploy.tolerances import FP16_LIMIT
from mobile_nelf.errors import DeployError, InputError
from mobile_nelf.vocabulary import BorderType, WeightForm
from mobile_nelf_exporters.coreml.activations import MIN_IOS
from mobile_nelf_exporters.coreml.compress import MIN_ELEMENTS, MIN_ZEROS
from mobile_nelf_exporters.coreml.convert import FP32_ENCODERS
from mobile_nelf_exporters.coreml.package.format import IOS_VERSIONS
from mobile_nelf_exporters.names import check_name

__all__ = ["border_type", "check_options", "check_weights", "refuse_large_weights"]


def check_options(name: str, ios: int, weights: tuple[WeightForm, ...]) -> None:
    """Refuses options by themselves.

    Raises:
        InputError: `name` is not a name for an app, or a version of iOS or a form cannot be had.
    """
    check_name(name, "app")
    if ios not in IOS_VERSIONS:
        raise InputError(
            f"iOS {ios} is not a target; expected {', '.join(map(str, IOS_VERSIONS))}",
            arguments=["ios"],
        )
    if INT8 in weights and ios < MIN_IOS:
        raise InputError(
            f"weights {INT8} needs iOS {MIN_IOS}, whose Core ML is the first with such activations",
            arguments=["ios", "weights"],
        )
    if len(set(weights)) < len(weights):
        raise InputError(
            f"weights {', '.join(weights)}: name each form once", arguments=["weights"]
        )


def border_type(asked: BorderType | None, layout: Layout) -> BorderType:
    """Returns the type of inputs and outputs.

    Raises:
        DeployError: fp16 is asked for in a layout whose numbers it does not hold.
    """
    if layout.name not in FP32_ENCODERS:
        return asked or "fp16"
    if asked == "fp16":
        raise DeployError(
            f"layout {layout.name} uploads rays, of which fp16 keeps 3 digits where 2⁵·x needs 6; "
            "leave out io, or choose layout factored or embedded"
        )
    return "fp32"


def refuse_large_weights(form: nn.Module) -> None:
    """Refuses weights that are infinite in fp16, in which packages store and compute."""
    for name, value in form.state_dict().items():
        largest = float(value.abs().max()) if value.is_floating_point() and value.numel() else 0.0
        if largest > FP16_LIMIT:
            raise DeployError(
                f"layer {name} has values up to {largest:.3g}, and fp16, in which packages store "
                f"them, ends at {FP16_LIMIT:g}; fine-tune with weight decay until they are "
                "smaller, or use a target that computes in float32"
            )


def check_weights(checkpoint: Checkpoint, weights: tuple[WeightForm, ...]) -> None:
    """Refuses forms in which this student would take no less.

    Raises:
        DeployError: all layers are small, or `sparse` finds no zeros.
    """
    if "sparse" in weights and _zeros(checkpoint) < MIN_ZEROS:
        raise DeployError(
            "no layer has enough weights that are zero, so sparse would store nothing smaller; "
            "prune the student with `mnelf compress --method magnitude`, or choose sparse50",
            arguments=["weights"],
        )
    largest = max(weight.numel() for weight in checkpoint.weights.values())
    if largest <= MIN_ELEMENTS and weights != ("fp16",):
        raise DeployError(
            f"no layer has more than {MIN_ELEMENTS} weights, so {', '.join(weights)} would "
            "store nothing smaller; leave out weights",
            arguments=["weights"],
        )


def _zeros(checkpoint: Checkpoint) -> float:
    """Returns the largest share of zeros in a layer that is large enough to be compressed."""
    large = [weight for weight in checkpoint.weights.values() if weight.numel() > MIN_ELEMENTS]
    return max((float((weight == 0).float().mean()) for weight in large), default=0.0)
