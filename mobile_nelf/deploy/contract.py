"""The contract: everything that an artefact and its host have to agree on.

Tensor names, shapes, layout, ranges and tolerances live here and nowhere else. ONNX metadata, the
Lens Studio script and its `.meta` files, and the manifest of a bundle are derived from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.students import StudentConfig

__all__ = [
    "CAMERA_IMAGE",
    "ActivationForm",
    "Contract",
    "LayoutName",
    "OutputForm",
    "TensorSpec",
]

LayoutName = Literal["embedded", "rays", "camera", "factored"]
OutputForm = Literal["tensor", "image"]
ActivationForm = Literal["erf", "gelusnap", "tanh", "relu"]

#: Raised when a reader of an older bundle would misread a newer one.
CONTRACT_VERSION = 3

#: Input of a composited picture: what the device's camera sees behind the object.
CAMERA_IMAGE = "camera_image"


@dataclass(frozen=True)
class TensorSpec:
    """One tensor at the border of an artefact, always float32 and of rank 4.

    Attributes:
        name: its name in the graph.
        shape: static [1, channels, rows, columns].
        meaning: what it holds: order of channels, frame, units.
    """

    name: str
    shape: tuple[int, int, int, int]
    meaning: str

    @property
    def bytes(self) -> int:
        """Size of the tensor."""
        return 4 * math.prod(self.shape)


@dataclass(frozen=True)
class Contract:
    """What a host must upload, what it gets back, and how close that is to the trained network.

    Attributes:
        layout: which part of the encoder the host computes (see `deploy.layouts`).
        activation: how the artefact computes the student's activation.
        inputs: tensors to upload for each frame.
        output: the image, RGB or RGBA in [0, 1] by channel, rows downwards. Where it is larger than
            the student's picture, that lies in its middle with the background around it.
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

    def __post_init__(self) -> None:
        """Refuses schemas that this version cannot read."""
        if self.version != CONTRACT_VERSION:
            raise ValueError(
                f"contract version {self.version}, this mnelf reads version {CONTRACT_VERSION}; "
                "use the mnelf that wrote the bundle"
            )

    @property
    def upload_bytes(self) -> int:
        """Bytes that the host writes for each frame; the camera's image is a texture."""
        return sum(spec.bytes for spec in self.inputs if spec.name != CAMERA_IMAGE)

    @property
    def camera_image(self) -> TensorSpec | None:
        """The input that the object is composited over; None if the background is baked in."""
        return next((spec for spec in self.inputs if spec.name == CAMERA_IMAGE), None)

    @property
    def picture_corner(self) -> tuple[int, int]:
        """Row and column at which the student's picture begins in the output."""
        _, _, rows, columns = self.output.shape
        return (rows - self.student.image_height) // 2, (columns - self.student.image_width) // 2
