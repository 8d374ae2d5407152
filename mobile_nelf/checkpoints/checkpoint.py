"""A trained student with everything needed to render and to deploy it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera, FloatArray, Intrinsics, OrbitLimits, OrbitPosition
from mobile_nelf.paths import AnyPath
from mobile_nelf.pictures import ByteImage, to_uint8
from mobile_nelf.rendering import student_frame_function
from mobile_nelf.seeding import seeded
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.students.blocks import HeadBodyTail

__all__ = ["Checkpoint"]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained student.

    Attributes:
        student: shape of the network and of its ray grid.
        intrinsics: lens of the rendered image, on the image's pixel grid.
        orbit: from where the student was trained.
        background: RGB in [0, 1] that the training images were composited on.
        metrics: measured quality by name, such as `test_psnr_db`.
        provenance: where it came from: source format, scene, steps, version.
        weights: state dict with the official names; floating tensors in float32.
        metres_per_unit: true length of a world unit; None if the scene did not tell.
    """

    student: StudentConfig
    intrinsics: Intrinsics
    orbit: OrbitLimits
    weights: dict[str, Tensor]
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    metres_per_unit: float | None = None

    def __repr__(self) -> str:
        """Returns what tells students apart, without their weights."""
        size = f"{self.student.image_width}×{self.student.image_height}"
        values = sum(value.numel() for value in self.weights.values())
        quality = self.metrics.get("test_psnr_db")
        tested = "" if quality is None else f", {quality:.2f} dB on test views"
        return f"Checkpoint({self.student.name} of {size}, {values:,} weights{tested})"

    def render(
        self,
        azimuth: float | None = None,
        elevation: float | None = None,
        radius: float | None = None,
    ) -> ByteImage:
        """Renders a frame, [height, width, 3 or 4] uint8; colours of RGBA are on the background.

        Args:
            azimuth: degrees around the vertical axis; the middle of its range if None.
            elevation: degrees above the horizon; likewise.
            radius: distance from the target in world units; likewise.

        Raises:
            InputError: the position lies outside of the photos that the student was trained on.
        """
        pose = OrbitPosition(azimuth, elevation, radius).pose(self.orbit)
        return to_uint8(student_frame_function(self)(self.ray_camera(pose)))

    def save(self, path: AnyPath, *, half: bool = False) -> None:
        """Writes the checkpoint; see `save_checkpoint`."""
        from mobile_nelf.checkpoints.native import save_checkpoint

        save_checkpoint(self, path, half=half)

    def network(self) -> HeadBodyTail:
        """Returns the trained network in evaluation mode, float32 on the CPU."""
        with seeded():
            network = build_student(self.student)
        network.load_state_dict(self.weights)
        return network.eval()

    def camera(self, cam_to_world: FloatArray) -> Camera:
        """Returns the camera of a rendered image at a pose."""
        return Camera(cam_to_world, self.intrinsics)

    def ray_camera(self, cam_to_world: FloatArray) -> Camera:
        """Returns the camera of the ray grid at a pose."""
        return self.camera(cam_to_world).resized(self.student.ray_width, self.student.ray_height)

    def on_grid(self, ray_width: int, ray_height: int, intrinsics: Intrinsics) -> Checkpoint:
        """Returns the same network on another grid of rays; it is convolutional, so any will do.

        Args:
            ray_width: columns of rays.
            ray_height: rows of rays.
            intrinsics: lens of the picture, on its pixel grid: the ray grid times the scale.
        """
        student = replace(self.student, ray_width=ray_width, ray_height=ray_height)
        return replace(self, student=student, intrinsics=intrinsics)

    def weights_sha256(self) -> str:
        """Returns a hash of names, shapes and values that does not depend on the file format."""
        digest = hashlib.sha256()
        for name in sorted(self.weights):
            value = self.weights[name].detach().cpu().contiguous()
            digest.update(f"{name}:{value.dtype}:{tuple(value.shape)};".encode())
            digest.update(np.ascontiguousarray(value.to(torch.float64).numpy()).tobytes())
        return digest.hexdigest()
