"""Real lenses of tiny students, and what their student renders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mobile_nelf.cameras import Camera
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.drive import lens_frame_function
from mobile_nelf_exporters.lens.player.material import with_material
from tests.helpers.students import random_checkpoint

GRID = {"ray_width": 9, "ray_height": 8}


@dataclass(frozen=True)
class Lens:
    """A lens and its student.

    Attributes:
        checkpoint: on the grid of rays that the lens has.
        contract: of its model.
        files: of the Lens Studio project.
    """

    checkpoint: Checkpoint
    contract: Contract
    files: dict[str, bytes]

    def edited(self, path: str, old: str, new: str, count: int = 1) -> Lens:
        """Returns the lens with a change in one of its files."""
        text = self.files[path].decode()
        assert old in text, f"{old} is not in {path}"
        changed = text.replace(old, new, count).encode()
        return replace(self, files={**self.files, path: changed})

    def with_file(self, path: str, content: bytes) -> Lens:
        """Returns the lens with another file in place of one."""
        return replace(self, files={**self.files, path: content})

    def with_material(self) -> Lens:
        """Returns the lens as a person finishes it in Lens Studio."""
        return replace(self, files=with_material(self.files))

    def worst_db(self, poses: int = 8) -> float:
        """PSNR against the student of the worst of `poses` poses."""
        frame = lens_frame_function(self.files, self.contract)
        student = student_frame_function(self.checkpoint)
        worst = np.inf
        for pose in self.checkpoint.orbit.sweep(poses):
            camera = self.checkpoint.ray_camera(pose)
            worst = min(worst, psnr_db(np.asarray(frame(camera)), student(camera)))
        return float(worst)

    def image_camera(self, pose: np.ndarray) -> Camera:
        """The camera of a whole picture at a pose."""
        return Camera(pose, self.contract.intrinsics)


@cache
def make_lens(
    layout: str = "factored", experience: str = "orbit", out_channels: int = 3, seed: int = 0
) -> Lens:
    """Exports a random student whose blocks differ from one another, so that any mix-up shows."""
    checkpoint = random_checkpoint(
        seed, sr_widths=(8,), out_channels=out_channels, activation="relu", **GRID
    )
    exported = LensStudioExporter().export(
        checkpoint, "Mic", Options(layout=layout, experience=experience)
    )
    contract = exported.contract
    deployed = checkpoint.on_grid(
        contract.student.ray_width, contract.student.ray_height, contract.intrinsics
    )
    return Lens(deployed, contract, project_files(exported.files))
