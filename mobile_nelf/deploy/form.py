"""The deploy form: a trained student as it ships.

BatchNorm folded, FC layers as 1×1 convs, the activation mapped, the encoder of a layout attached,
every shape static and of rank 4. It is the only thing that is ever traced.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.layouts import Layout
from mobile_nelf.encoding import official_to_grouped
from mobile_nelf.errors import DeployError
from mobile_nelf.students import StudentConfig
from mobile_nelf.students.products import AXES
from mobile_nelf.students.rewrite import fold_batchnorm
from mobile_nelf.vocabulary import Activation, ActivationForm

__all__ = ["ACTIVATION_FORMS", "DeployForm", "changes_function", "deploy_form", "deploy_network"]

#: Forms in which an artefact can compute each trained activation; the first keeps the function with
#: plain ONNX operators. `gelusnap` is SnapML's own node, assumed to be the erf form.
ACTIVATION_FORMS: dict[str, tuple[ActivationForm, ...]] = {
    "gelu": ("erf", "gelusnap", "tanh", "relu"),
    "relu": ("relu",),
}


def changes_function(trained: Activation, form: ActivationForm) -> bool:
    """Whether `form` computes another function than the activation that was trained."""
    return trained == "gelu" and form in ("tanh", "relu")


class DeployForm(nn.Module):
    """Uploads of a layout in, image out."""

    def __init__(self, encoder: nn.Module, network: nn.Module) -> None:
        """Takes the in-graph encoder and the rewritten network."""
        super().__init__()
        self.encoder = encoder
        self.network = network

    def forward(self, *uploads: Tensor) -> Tensor:
        """Maps the uploads, in the layout's order, to [1, 3 or 4, s·h, s·w] in [0, 1]."""
        image: Tensor = self.network(self.encoder(*uploads))
        return image


def deploy_form(
    checkpoint: Checkpoint, layout: Layout, activation: ActivationForm, *, expand: bool
) -> DeployForm:
    """Returns the deploy form of a student.

    Args:
        checkpoint: the trained student.
        layout: which part of the encoder is in the graph.
        activation: how the trained activation is computed.
        expand: avoid elementwise operators that broadcast (see `Layout.encoder`).

    Raises:
        DeployError: the activation cannot be computed that way.
    """
    encoder = layout.encoder(checkpoint.student, expand)
    network = deploy_network(checkpoint, activation, grouped=layout.grouped)
    return DeployForm(encoder, network).eval()


def deploy_network(
    checkpoint: Checkpoint, activation: ActivationForm, *, grouped: bool
) -> nn.Module:
    """Returns the network part of the deploy form.

    Args:
        checkpoint: the trained student.
        activation: how the trained activation is computed.
        grouped: take the grouped channel order of `encoding` instead of the official one.

    Raises:
        DeployError: the activation cannot be computed that way.
    """
    student = checkpoint.student
    if activation not in ACTIVATION_FORMS[student.activation]:
        raise DeployError(
            f"activation {activation!r} cannot stand for the trained {student.activation}; "
            f"expected one of {', '.join(ACTIVATION_FORMS[student.activation])}"
        )
    trained = checkpoint.network()
    network = fold_batchnorm(trained.as_conv())
    if grouped:
        _regroup(network, trained.FIRST_LAYER, student)
    if changes_function(student.activation, activation):
        for name, module in list(network.named_modules()):
            if isinstance(module, nn.GELU):
                mapped = nn.GELU(approximate="tanh") if activation == "tanh" else nn.ReLU()
                network.set_submodule(name, mapped)
    return network.requires_grad_(False)


def _regroup(network: nn.Module, first: str, student: StudentConfig) -> None:
    """Re-orders the inputs of the convs on the encoding once, instead of activations per frame."""
    order = official_to_grouped(student.encoder.coords, student.encoder.frequencies)
    for name in (first, *(f"products.{axis}" for axis in AXES if student.products)):
        conv = network.get_submodule(name)
        if not isinstance(conv, nn.Conv2d):
            raise TypeError(f"{name} is a {type(conv).__name__}, expected a conv")
        conv.weight = nn.Parameter(conv.weight[:, torch.from_numpy(order)])
