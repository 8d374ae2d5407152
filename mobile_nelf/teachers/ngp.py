"""A teacher in the manner of Instant-NGP (Müller et al., SIGGRAPH 2022)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.compute import reduced_precision
from mobile_nelf.rays import ray_map
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.field import DenseGridField, Field
from mobile_nelf.teachers.marching import OccupancyGrid, composite, march
from mobile_nelf.teachers.silhouettes import silhouette
from mobile_nelf.teachers.spaces import BoxSpace, Space
from mobile_nelf.teachers.tcnn_field import HashGridField
from mobile_nelf.teachers.teacher import ALPHA_FLOOR, Rendering

__all__ = ["NgpTeacher", "build_field"]

#: Rays marched together: what fits the caches of a CPU, and what fills a GPU.
CPU_RAYS, GPU_RAYS = 1 << 14, 1 << 20
#: A ray is marched in so many parts, and dropped once it is opaque.
PARTS = 8
#: Light that may be left of a ray when it is dropped, and that a sample must carry to get a colour.
NEGLIGIBLE = 1e-3


class NgpTeacher:
    """A radiance field with the occupancy that makes it fast to render."""

    def __init__(
        self, config: TeacherConfig, space: Space, field: Field, grid: OccupancyGrid
    ) -> None:
        """Takes the parts, all on one device; training changes field and grid in place."""
        self.config = config
        self.space = space
        self.field = field
        self.grid = grid

    def rounded(self) -> NgpTeacher:
        """Returns itself with weights as its file keeps them, in float16."""
        with torch.no_grad():
            for parameter in self.field.parameters():
                parameter.copy_(parameter.half())
        return self

    @torch.no_grad()
    def render(self, camera: Camera) -> Rendering:
        """Renders the view of `camera` on its own pixel grid."""
        image = self._image(camera).cpu().numpy()
        return Rendering(
            rgb=image[..., :3], alpha=image[..., 3], depth=image[..., 4] / _positive(image[..., 3])
        )

    @torch.no_grad()
    def rgba8(self, camera: Camera) -> npt.NDArray[np.uint8]:
        """Returns `render(camera).rgba8()`, rounded where it was rendered."""
        image = self._image(camera)
        alpha = image[..., 3:4]
        pixels = torch.cat([image[..., :3] / alpha.clamp_min(ALPHA_FLOOR), alpha], 2)
        rounded: npt.NDArray[np.uint8] = (
            (255.0 * pixels.clamp(0.0, 1.0)).round().to(torch.uint8).cpu().numpy()
        )
        return rounded

    def _image(self, camera: Camera) -> Tensor:
        """Colour, opacity and depth·opacity, [height, width, 5] float32."""
        lens, device = camera.intrinsics, self.grid.mask.device
        rays = torch.from_numpy(ray_map(camera).flat()).view(4, 3)
        # Double precision where it costs nothing; some GPUs have none.
        origin, d0, du, dv = rays if device.type == "cpu" else rays.float().to(device)
        columns = torch.arange(lens.width, device=device)[:, None]
        rows = torch.arange(lens.height, device=device)[:, None, None]
        directions = (d0 + columns * du + rows * dv).view(-1, 3)
        rays = torch.cat([origin.expand_as(directions), directions], 1).float()
        size = CPU_RAYS if device.type == "cpu" else GPU_RAYS
        shown = silhouette(camera, self.space, self.grid.mask).flatten().nonzero()[:, 0]
        image = torch.zeros(len(rays), 5, device=device)
        for pixels in torch.split(shown, size):
            image[pixels] = self._chunk(rays[pixels])
        return image.view(lens.height, lens.width, 5)

    def _steps_a_ray(self) -> int:
        # Without a box every ray of a view is marched, and finer steps would cost too much.
        finer = self.config.render_steps if isinstance(self.space, BoxSpace) else None
        return finer or self.config.march_steps

    def _chunk(self, rays: Tensor) -> Tensor:
        """Marches rays [N, 6] front to back; returns [N, 5] colour, opacity, depth·opacity."""
        light = torch.ones(len(rays), device=rays.device)
        result = torch.zeros(len(rays), 5, device=rays.device)
        steps = self._steps_a_ray()
        bounds = [steps * index // PARTS for index in range(PARTS + 1)]
        for first, last in pairwise(bounds):
            alive = (light > NEGLIGIBLE).nonzero()[:, 0]
            origins, directions = rays[alive, :3], rays[alive, 3:]
            samples = march(
                self.space,
                self.grid,
                origins,
                directions,
                steps,
                part=(first, last),
            )
            if not len(samples.ray):
                continue
            with reduced_precision(rays.device):
                density, features = self.field.density(samples.points)
            weights, clear = composite(density, samples, len(alive))
            weights = weights * light[alive[samples.ray]]
            seen = (weights > NEGLIGIBLE).nonzero()[:, 0]
            ray = samples.ray[seen]
            unit = torch.nn.functional.normalize(directions, dim=1)
            with reduced_precision(rays.device):
                colour = self.field.colour(features[seen], unit[ray])
            share = weights[seen, None]
            values = torch.cat([colour, torch.ones_like(share), samples.depth[seen, None]], 1)
            result.index_add_(0, alive[ray], share * values)
            light[alive] *= clear
        return result


def build_field(config: TeacherConfig, space: Space, device: torch.device) -> Field:
    """Returns a fresh field of the back-end that `config` names.

    Raises:
        MissingExtraError: the back-end is not installed.
    """
    if config.backend == "tinycudann":
        return HashGridField().to(device)
    return DenseGridField(config.resolutions, config.channels, space.proportions()).to(device)


def _positive(alpha: np.ndarray) -> np.ndarray:
    """Alpha to divide by; where it is 0 the depth is 0 as well."""
    return np.where(alpha > 0.0, alpha, 1.0)
