"""What a teacher shows at points of its surface: colour and opacity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.cameras import FloatArray
from mobile_nelf.compute import reduced_precision
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.teachers.marching import CELLS
from mobile_nelf.teachers.ngp import NgpTeacher

__all__ = ["Skin", "look_at_surface"]

#: Samples along a normal, across two cells of the occupancy around the surface.
SAMPLES = 24
#: Points that are looked at together.
BATCH = 1 << 12
#: A point is seen from straight above and from so many directions around that lean by this angle.
AROUND, LEAN_DEG = 6, 45.0


@dataclass(frozen=True, eq=False)
class Skin:
    """What points of a surface look like.

    Attributes:
        colours: [N, 3] in [0, 1], as photos have them, the mean over directions of view.
        opacity: [N] in [0, 1] of what is around the surface.
    """

    colours: npt.NDArray[np.float32]
    opacity: npt.NDArray[np.float32]


def look_at_surface(
    teacher: NgpTeacher,
    points_world: FloatArray,
    normals: FloatArray,
    on_progress: Progress = silent,
) -> Skin:
    """Looks at points of a surface along their normals.

    Args:
        teacher: whose surface it is.
        points_world: [N, 3] near to the surface.
        normals: [N, 3] unit vectors, outwards.
        on_progress: called with a stage's name, steps done and steps in all.
    """
    device = teacher.grid.mask.device
    both = torch.from_numpy(np.concatenate([points_world, normals], 1)).float().to(device)
    parts = [
        _look(teacher, part[:, :3], part[:, 3:])
        for part in counted("colours", torch.split(both, BATCH), on_progress)
    ]
    colours, opacity = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
    return Skin(colours, opacity)


@torch.no_grad()
def _look(teacher: NgpTeacher, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """Returns colours [N, 3] and opacities [N]."""
    unit = teacher.space.to_unit(points)
    # Of a cell along each normal: the cube's axes may have different lengths.
    stretch = (teacher.space.to_unit(points + 1e-3 * normals) - unit).norm(dim=1) / 1e-3
    reach = 1.0 / (CELLS * stretch)
    places = 1.0 - (torch.arange(SAMPLES, device=points.device) + 0.5) * 2.0 / SAMPLES
    around = points[:, None] + (reach[:, None] * places)[..., None] * normals[:, None]
    samples = teacher.space.to_unit(around).flatten(0, 1)
    with reduced_precision(points.device):
        density, features = teacher.field.density(samples)
    density = density.float() * teacher.grid.occupied(samples)
    thickness = density.view(len(points), SAMPLES) * 2.0 / SAMPLES / CELLS
    total = thickness.cumsum(1)
    weights = torch.exp(thickness - total) - torch.exp(-total)
    # Features are mixed as a ray mixes colours; where there is nothing, all alike.
    shares = weights / weights.sum(1, keepdim=True).clamp_min(1e-6)
    shares = torch.where(weights.sum(1, keepdim=True) > 1e-6, shares, 1.0 / SAMPLES)
    mixed = (shares[..., None] * features.float().view(len(points), SAMPLES, -1)).sum(1)
    return _colours(teacher, mixed.to(features.dtype), normals), 1.0 - torch.exp(-total[:, -1])


def _colours(teacher: NgpTeacher, features: Tensor, normals: Tensor) -> Tensor:
    """The mean colour [N, 3] of features [N, F] over directions around their normals [N, 3]."""
    seed = torch.where(
        normals[:, :1].abs() < 0.9, normals.new_tensor([1.0, 0, 0]), normals.new_tensor([0, 1.0, 0])
    )
    across = F.normalize(torch.linalg.cross(normals, seed), dim=1)
    along = torch.linalg.cross(normals, across)
    lean = np.radians(LEAN_DEG)
    outwards = [normals]
    for turn in np.arange(AROUND) * 2.0 * np.pi / AROUND:
        aside = float(np.cos(turn)) * across + float(np.sin(turn)) * along
        outwards.append(float(np.cos(lean)) * normals + float(np.sin(lean)) * aside)
    with reduced_precision(normals.device):
        seen = [teacher.field.colour(features, -direction).float() for direction in outwards]
    return torch.stack(seen).mean(0)
