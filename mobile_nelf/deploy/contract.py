"""The contract: everything that an artefact and its host have to agree on.

Tensor names, shapes, layout, ranges and tolerances live here and nowhere else. ONNX metadata, the
Lens Studio script and its `.meta` files, and the manifest of a bundle are derived from it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.form import ACTIVATION_FORMS
from mobile_nelf.deploy.layouts import Layout, TensorSpec
from mobile_nelf.deploy.tolerances import required_psnr_db
from mobile_nelf.errors import BundleError, ConfigError
from mobile_nelf.parsing import parse_json
from mobile_nelf.plain import from_dict, if_known, to_dict
from mobile_nelf.students import StudentConfig
from mobile_nelf.vocabulary import ActivationForm, LayoutName, OutputForm

__all__ = [
    "CONTRACT_KEY",
    "CUT_OUT",
    "MASK",
    "MASKED_COLOUR",
    "Contract",
    "default_activation",
    "make_contract",
    "parse_contract",
    "shown_ball_radius",
]

#: Bump when older readers would misread the contract.
CONTRACT_VERSION = 3

#: Metadata key under which a model carries its contract.
CONTRACT_KEY = "mobile_nelf.contract"

#: Output of an object that is cut out of its background, for a surface of its own.
CUT_OUT = "cut_out"

#: Outputs of the same object for a host that has no such surface, and shows colours through a mask.
MASKED_COLOUR, MASK = "colour", "mask"


@dataclass(frozen=True)
class Contract:
    """What a host must upload, what it gets back, and how close that is to the trained network.

    Attributes:
        layout: which part of the encoder the host computes (see `deploy.layouts`).
        activation: how the artefact computes the student's activation.
        inputs: tensors to upload for each frame.
        output: the image, RGB or RGBA in [0, white] by channel, rows downwards. Where it is larger
            than the student's picture, that lies in its middle with the background around it. If it
            is cut out, the background is taken away: RGB is over black, and a pixel of the network
            that is darker than the background behind it is negative. It then has an alpha, which is
            that of the student, or made from its colours.
        output_form: `image` if the artefact returns the output as an 8-bit picture of the platform.
        student: network shape, ray grid and depth samples.
        intrinsics: lens of the reference frames, on the image's pixel grid.
        orbit: where cameras may go, world frame.
        ball_radius: of the ball round the orbit's target that every photo shows whole, world units;
            no ray that passes it further away than this was trained from every side.
        background: RGB in [0, 1] behind the object.
        weights_sha256: of the trained weights (`Checkpoint.weights_sha256`).
        min_psnr_db: what each frame of the artefact must reach against the trained student.
        version: of this schema.
        metres_per_unit: true length of a world unit; None if unknown.
        output_white: value of white, and of what is opaque, in the output; 1 if None.
        masked: two more outputs of an object that is cut out: its colours, over the whole of each
            pixel that it has a part of, and how much of the pixel that is. Both have a border of
            one clear pixel. None if the artefact does not draw them.
    """

    layout: LayoutName
    activation: ActivationForm
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    output_form: OutputForm
    student: StudentConfig
    intrinsics: Intrinsics
    orbit: OrbitLimits
    ball_radius: float
    background: tuple[float, float, float]
    weights_sha256: str
    min_psnr_db: float
    version: int = CONTRACT_VERSION
    metres_per_unit: float | None = if_known()
    output_white: float | None = if_known()
    masked: tuple[TensorSpec, ...] | None = if_known()

    def __post_init__(self) -> None:
        """Refuses schemas that this version cannot read."""
        if self.version != CONTRACT_VERSION:
            raise ValueError(
                f"contract version {self.version}, this mnelf reads version {CONTRACT_VERSION}; "
                "use the mnelf that wrote the bundle"
            )
        if self.metres_per_unit is not None and not self.metres_per_unit > 0.0:
            raise ValueError(f"need a unit of some length, found {self.metres_per_unit:g} metres")
        if self.output_white is not None and not 1.0 <= self.output_white < math.inf:
            raise ValueError(f"white is {self.output_white:g}, expected 1 or more")
        if self.masked is not None and [spec.name for spec in self.masked] != [MASKED_COLOUR, MASK]:
            raise ValueError(f"expected the masked outputs {MASKED_COLOUR} and {MASK}")

    def as_metadata(self) -> dict[str, str]:
        """Returns what a model carries, for `parse_contract`."""
        return {CONTRACT_KEY: json.dumps(to_dict(self), sort_keys=True)}

    @property
    def upload_bytes(self) -> int:
        """Bytes that the host writes for each frame."""
        return sum(spec.bytes for spec in self.inputs)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """All that the artefact returns."""
        return (self.output, *(self.masked or ()))

    @property
    def white(self) -> float:
        """What the output is divided by to be in [0, 1]."""
        return 1.0 if self.output_white is None else self.output_white

    @property
    def is_cut_out(self) -> bool:
        """Whether the output is over nothing, to be put in front of anything by its alpha."""
        return self.output.name == CUT_OUT

    @property
    def picture_corner(self) -> tuple[int, int]:
        """Row and column at which the student's picture begins in the output."""
        _, _, rows, columns = self.output.shape
        return (rows - self.student.image_height) // 2, (columns - self.student.image_width) // 2


def parse_contract(metadata: Mapping[str, str], model: str) -> Contract:
    """Returns the contract in the metadata of a model.

    Args:
        metadata: of the model, by key.
        model: its name, for messages.

    Raises:
        BundleError: there is none, or it cannot be read.
    """
    if CONTRACT_KEY not in metadata:
        raise BundleError(f"{model}: carries no contract; it was not written by mnelf")
    try:
        return from_dict(Contract, parse_json(metadata[CONTRACT_KEY], finite=False), "contract")
    except (ValueError, ConfigError) as error:
        raise BundleError(f"{model}: has an unreadable contract ({error})") from error


def make_contract(
    checkpoint: Checkpoint,
    layout: Layout,
    activation: ActivationForm,
    output_form: OutputForm = "tensor",
    *,
    bordered: bool = False,
    cut_out: bool = False,
    ball_radius: float | None = None,
    white: float | None = None,
    masked: bool = False,
) -> Contract:
    """Returns the contract of a student in a layout.

    Args:
        checkpoint: the trained student, on the ray grid that ships.
        layout: which part of the encoder is in the graph.
        activation: how the trained activation is computed.
        output_form: tensor or picture of the platform.
        bordered: the output has a border of one pixel of background around the picture.
        cut_out: the background is taken away.
        ball_radius: see `Contract`; that of the checkpoint's own picture if `None`.
        white: value of white in the output; 1 if `None`.
        masked: also draw what is cut out as colours and a mask.

    Raises:
        ValueError: what is cut out is to have a border, or what is not is to be masked.
    """
    if cut_out and bordered:
        raise ValueError("what is cut out has no background for a border")
    if masked and not cut_out:
        raise ValueError("only what is cut out can be masked")
    student = checkpoint.student
    shown = 4 if cut_out else student.out_channels
    channels = "RGB" if shown == 3 else "RGB and alpha"
    channels = "RGB without its background, and alpha" if cut_out else channels
    around = 2 if bordered else 0
    rows, columns = student.image_height + around, student.image_width + around
    shape = (1, shown, rows, columns)
    return Contract(
        layout=layout.name,
        activation=activation,
        inputs=layout.inputs(student),
        output=TensorSpec(
            CUT_OUT if cut_out else "output",
            shape,
            f"{channels} in [0, {white or 1:g}], rows downwards",
        ),
        output_form=output_form,
        student=student,
        intrinsics=checkpoint.intrinsics,
        orbit=checkpoint.orbit,
        ball_radius=shown_ball_radius(checkpoint) if ball_radius is None else ball_radius,
        background=checkpoint.background,
        weights_sha256=checkpoint.weights_sha256(),
        min_psnr_db=required_psnr_db(layout.name, student.activation, activation),
        metres_per_unit=checkpoint.metres_per_unit,
        output_white=white,
        masked=_masked(rows, columns, white or 1.0) if masked else None,
    )


def _masked(rows: int, columns: int, white: float) -> tuple[TensorSpec, TensorSpec]:
    around = (rows + 2, columns + 2)
    told = f"in [0, {white:g}], rows downwards, with a border of one clear pixel"
    return (
        TensorSpec(MASKED_COLOUR, (1, 3, *around), f"RGB of the object alone {told}"),
        TensorSpec(MASK, (1, 1, *around), f"how much of a pixel is the object, {told}"),
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
