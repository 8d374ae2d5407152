"""From a student and the choices of an exporter to the contract of the artefact."""

from __future__ import annotations

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import ActivationForm, Contract, OutputForm, TensorSpec
from mobile_nelf.deploy.form import ACTIVATION_FORMS
from mobile_nelf.deploy.layouts import Layout
from mobile_nelf.deploy.parity import required_psnr_db

__all__ = ["default_activation", "make_contract"]


def make_contract(
    checkpoint: Checkpoint,
    layout: Layout,
    activation: ActivationForm,
    output_form: OutputForm = "tensor",
) -> Contract:
    """Returns the contract of a student in a layout."""
    student = checkpoint.student
    channels = "RGB" if student.out_channels == 3 else "RGB and alpha"
    shape = (1, student.out_channels, student.image_height, student.image_width)
    return Contract(
        layout=layout.name,
        activation=activation,
        inputs=layout.inputs(student),
        output=TensorSpec("output", shape, f"{channels} in [0, 1], rows downwards"),
        output_form=output_form,
        student=student,
        intrinsics=checkpoint.intrinsics,
        orbit=checkpoint.orbit,
        background=checkpoint.background,
        weights_sha256=checkpoint.weights_sha256(),
        min_psnr_db=required_psnr_db(layout.name, student.activation, activation),
    )


def default_activation(checkpoint: Checkpoint, prefer: ActivationForm) -> ActivationForm:
    """Returns `prefer` where the trained activation allows it, else its first form."""
    forms = ACTIVATION_FORMS[checkpoint.student.activation]
    return prefer if prefer in forms else forms[0]
