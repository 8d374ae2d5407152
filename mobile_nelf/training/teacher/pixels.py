"""What a teacher learns from: random pixels of the photos, and where the photos show nothing."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mobile_nelf.errors import SceneError
from mobile_nelf.rays import ray_map
from mobile_nelf.scenes import Scene, View
from mobile_nelf.teachers.marching import CELLS, cell_corners
from mobile_nelf.teachers.silhouettes import silhouette
from mobile_nelf.teachers.spaces import BoxSpace, Space

__all__ = ["PhotoPixels", "PixelBatch", "seen_cells"]


class PixelBatch(NamedTuple):
    """Random pixels with their rays.

    Attributes:
        origins: [N, 3], world frame.
        directions: [N, 3], world frame, unnormalised.
        rgba: [N, 4] in [0, 1], straight alpha.
    """

    origins: Tensor
    directions: Tensor
    rgba: Tensor


class PhotoPixels:
    """All training photos in memory, on the device that trains."""

    def __init__(self, scene: Scene, device: torch.device) -> None:
        """Reads the photos.

        Raises:
            SceneError: one cannot be read or has another size than the others.
        """
        with ThreadPoolExecutor() as pool:
            photos = list(pool.map(View.rgba, scene.train))
        height, width = photos[0].shape[:2]
        for view, photo in zip(scene.train, photos, strict=True):
            if photo.shape != photos[0].shape:
                raise SceneError(
                    f"{view.path}: is {photo.shape[1]}×{photo.shape[0]}, but the first photo is "
                    f"{width}×{height}; all must have one size"
                )
        pixels = torch.from_numpy(np.stack(photos))
        maps = torch.from_numpy(np.stack([ray_map(view.camera).flat() for view in scene.train]))
        digest = hashlib.sha256(pixels.numpy().data)
        digest.update(maps.numpy().data)
        self.sha256 = digest.hexdigest()
        self._pixels = pixels.to(device)  # [V, H, W, 4]
        self._maps = maps.float().to(device)  # [V, 12]
        self._cameras = [view.camera for view in scene.train]
        self._places: Tensor | None = None  # of the pixels that are drawn, where not all are

    def keep(self, space: Space, cells: Tensor) -> float:
        """Draws from now on only pixels whose rays may meet a cell; returns the share of these.

        Args:
            space: of the scene.
            cells: [CELLS³], the ones that are not empty.
        """
        if not isinstance(space, BoxSpace):  # where every ray may
            return 1.0
        masks = torch.stack([silhouette(camera, space, cells) for camera in self._cameras])
        places = masks.flatten().nonzero()[:, 0]
        if not len(places):
            return 1.0
        self._places = places if masks.numel() > 1 << 31 else places.int()
        return len(places) / masks.numel()

    def draw(self, count: int, rng: torch.Generator) -> PixelBatch:
        """Returns `count` pixels, each from anywhere in any photo, or anywhere that is kept."""
        device, (_, height, width, _) = self._maps.device, self._pixels.shape
        if self._places is None:
            views, rows, columns = (
                torch.randint(limit, (count,), generator=rng, device=rng.device).to(device)
                for limit in self._pixels.shape[:3]
            )
        else:
            chosen = torch.randint(len(self._places), (count,), generator=rng, device=rng.device)
            places = self._places[chosen.to(device)].long()
            views, rows, columns = (
                places // (height * width),
                places // width % height,
                places % width,
            )
        origins, d0, du, dv = self._maps[views].view(count, 4, 3).unbind(1)
        directions = d0 + columns[:, None] * du + rows[:, None] * dv
        return PixelBatch(origins, directions, self._pixels[views, rows, columns].float() / 255.0)


def seen_cells(scene: Scene, space: Space, device: torch.device) -> Tensor:
    """Returns [CELLS³], on `device`, which cells of the occupancy grid training can fill.

    What no training camera sees would stay a floater. In a bounded scene a cell is also empty
    where the photo of any camera that sees it is transparent all around it: what is left is the
    visual hull.
    """
    cells = torch.arange(CELLS**3, device=device)
    corners = cell_corners(cells)
    centres = space.to_world((corners + 0.5) / CELLS)
    reach = (space.to_world(corners / CELLS) - centres).norm(dim=1)
    seen = torch.zeros(len(cells), dtype=torch.bool, device=device)
    empty = torch.zeros_like(seen)
    for view in scene.train:
        pose = torch.from_numpy(view.camera.cam_to_world).float().to(device)
        lens = view.camera.intrinsics
        local = (centres - pose[:, 3]) @ pose[:, :3]
        depth = -local[:, 2]
        column = lens.cx + lens.fx * local[:, 0] / depth
        row = lens.cy - lens.fy * local[:, 1] / depth
        inside = (depth > 0.0) & (column >= 0.0) & (column < lens.width)
        inside &= (row >= 0.0) & (row < lens.height)
        seen |= inside
        if scene.extent == "bounded" and bool(inside.any()):
            focal = max(lens.fx, lens.fy)
            radius = math.ceil(float((focal * reach / depth)[inside].max()))
            around = _grown(torch.from_numpy(view.rgba()[..., 3] > 0).to(device), radius)
            empty[inside] |= ~around[row[inside].long(), column[inside].long()]
    return seen & ~empty


def _grown(mask: Tensor, radius: int) -> Tensor:
    """A mask [H, W] grown by `radius` pixels to all sides."""
    grown = mask[None, None].float()
    for kernel, padding in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        grown = F.max_pool2d(grown, kernel, 1, padding)
    return grown[0, 0] > 0.0
