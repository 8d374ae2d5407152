"""From a checkpoint to a checked ONNX file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import torch
from torch import nn

from mobile_nelf._version import __version__
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, make_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import Layout
from mobile_nelf.errors import DeployError
from mobile_nelf.extras import import_extra
from mobile_nelf.vocabulary import GELU_SNAP, ActivationForm
from mobile_nelf_exporters.onnx.lowering import lower_to_onnx
from mobile_nelf_exporters.onnx.picture import PicturedForm

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["build_onnx"]

#: A pass of onnxsim that moves GELU's factor of one half into the next conv. What is left is no
#: GELU to ONNX Runtime, which then runs it as four passes over memory instead of one.
MUL_INTO_CONV = "fuse_preceding_mul_into_conv"

#: A pass of onnxsim that pads by a 1×1 conv, which SnapML cannot: padding up to the kernel's size.
PAD_INTO_CONV = "fuse_pad_into_conv"

#: Has the signature of GeluSnap, and no student computes it.
STAND_IN = "Softsign"


def build_onnx(
    checkpoint: Checkpoint,
    layout: Layout,
    activation: ActivationForm,
    *,
    expand: bool,
    bordered: bool = False,
    cut_out: bool = False,
    ball_radius: float | None = None,
    white: float | None = None,
    masked: bool = False,
) -> tuple[ModelProto, Contract]:
    """Lowers, simplifies and checks the deploy form of a student.

    Args:
        checkpoint: the trained student.
        layout: which part of the encoder is in the graph.
        activation: how the trained activation is computed.
        expand: avoid elementwise operators that broadcast (see `Layout.encoder`).
        bordered: draw a border of background (see `make_contract`).
        cut_out: take the background away (see `make_contract`).
        ball_radius: what the photos showed (see `make_contract`).
        white: value of white in the output (see `make_contract`).
        masked: draw colours and a mask as well (see `make_contract`).

    Returns:
        The model with contract, versions and hashes in its metadata, and the contract.

    Raises:
        DeployError: the activation does not fit, or the simplifier could not keep the function.
        MissingExtraError: the extra `lens` is not installed.
    """
    onnxsim = import_extra("onnxsim", "lens")
    checker = import_extra("onnx.checker", "lens")
    contract = make_contract(
        checkpoint,
        layout,
        activation,
        bordered=bordered,
        cut_out=cut_out,
        ball_radius=ball_radius,
        white=white,
        masked=masked,
    )
    form: nn.Module = deploy_form(checkpoint, layout, activation, expand=expand)
    if bordered or cut_out or white is not None:
        form = PicturedForm(form, contract).eval()
    names = [spec.name for spec in contract.outputs]
    model = lower_to_onnx(form, contract.inputs, names, activation)
    # Simplifier and checker know only standard operators.
    _rename_operator(model, GELU_SNAP, STAND_IN)
    model, same = onnxsim.simplify(model, skipped_optimizers=[MUL_INTO_CONV, PAD_INTO_CONV])
    if not same:
        raise DeployError("onnxsim changed the function of the graph; please report this")
    checker.check_model(model, full_check=True)
    _rename_operator(model, STAND_IN, GELU_SNAP)
    _add_metadata(model, contract)
    return model, contract


def _rename_operator(model: ModelProto, old: str, new: str) -> None:
    for node in model.graph.node:
        if node.op_type == old:
            node.op_type = new


def _add_metadata(model: ModelProto, contract: Contract) -> None:
    model.producer_name = "mobile-nelf"
    model.producer_version = __version__
    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        digest.update(tensor.name.encode() + tensor.raw_data)
    metadata = {
        **contract.as_metadata(),
        "mobile_nelf.torch_version": str(torch.__version__),
        "mobile_nelf.deployed_weights_sha256": digest.hexdigest(),
    }
    del model.metadata_props[:]
    for key, value in sorted(metadata.items()):
        model.metadata_props.add(key=key, value=value)
