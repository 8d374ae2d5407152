"""From a student and the choices of an exporter to the contract of the artefact."""

from __future__ import annotations

import math

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import (
    CAMERA_IMAGE,
    ActivationForm,
    Contract,
    OutputForm,
    TensorSpec,
)
from mobile_nelf.deploy.form import ACTIVATION_FORMS
from mobile_nelf.deploy.layouts import Layout
from mobile_nelf.deploy.parity import required_psnr_db

__all__ = ["default_activation", "make_contract", "shown_ball_radius"]


def make_contract(
    checkpoint: Checkpoint,
    layout: Layout,
    activation: ActivationForm,
    output_form: OutputForm = "tensor",
    *,
    size: tuple[int, int] | None = None,
    composited: bool = False,
    ball_radius: float | None = None,
) -> Contract:
    """Returns the contract of a student in a layout.

    Args:
        checkpoint: the trained student, on the ray grid that ships.
        layout: which part of the encoder is in the graph.
        activation: how the trained activation is computed.
        output_form: tensor or picture of the platform.
        size: rows and columns of the output; that of the student's picture if `None`.
        composited: the object is shown over the camera's image, which becomes an input.

        ball_radius: see `Contract`; that of the checkpoint's own picture if `None`.

    Raises:
        ValueError: a composited picture is to be padded; the camera's image has no border colour.
    """
    if composited and size is not None:
        raise ValueError("a composited picture cannot be padded; choose a grid of rays that fits")
    student = checkpoint.student
    shown = 3 if composited else student.out_channels
    channels = "RGB" if shown == 3 else "RGB and alpha"
    rows, columns = size or (student.image_height, student.image_width)
    shape = (1, shown, rows, columns)
    inputs = layout.inputs(student)
    if composited:
        seen = "RGB in [0, 1], rows downwards: what the camera sees behind the object"
        inputs = (*inputs, TensorSpec(CAMERA_IMAGE, (1, 3, rows, columns), seen))
    return Contract(
        layout=layout.name,
        activation=activation,
        inputs=inputs,
        output=TensorSpec("output", shape, f"{channels} in [0, 1], rows downwards"),
        output_form=output_form,
        student=student,
        intrinsics=checkpoint.intrinsics,
        orbit=checkpoint.orbit,
        ball_radius=shown_ball_radius(checkpoint) if ball_radius is None else ball_radius,
        background=checkpoint.background,
        weights_sha256=checkpoint.weights_sha256(),
        min_psnr_db=required_psnr_db(layout.name, student.activation, activation),
    )


def shown_ball_radius(checkpoint: Checkpoint) -> float:
    """Returns the radius of the largest ball round the orbit's target that a picture shows whole.

    A ball at distance r whose outline just touches a border at tangent t has radius r·t/√(1 + t²).
    """
    lens = checkpoint.intrinsics
    tangent = min(
        min(lens.cx, lens.width - lens.cx) / lens.fx, min(lens.cy, lens.height - lens.cy) / lens.fy
    )
    # A photo's centre may lie at its very border; a grain of the object is then left.
    tangent = max(tangent, 1e-3)
    return checkpoint.orbit.radius[0] * tangent / math.hypot(1.0, tangent)


def default_activation(checkpoint: Checkpoint, prefer: ActivationForm) -> ActivationForm:
    """Returns `prefer` where the trained activation allows it, else its first form."""
    forms = ACTIVATION_FORMS[checkpoint.student.activation]
    return prefer if prefer in forms else forms[0]
