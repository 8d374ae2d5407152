"""Which pixels of a camera can show anything of a scene that lies in a box.

Most rays around an object meet nothing. They are told apart by drawing the cells that are not
empty, which is far cheaper than to march along every ray.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mobile_nelf.cameras import Camera
from mobile_nelf.teachers.marching import CELLS, cell_corners
from mobile_nelf.teachers.spaces import BoxSpace, Space

__all__ = ["silhouette"]

#: Pixels by which a cell is drawn larger than it is: rounding in float32.
MARGIN = 0.05
#: A camera that is closer to a cell than this, in world units, is taken to see it everywhere.
NEAREST = 1e-3


def silhouette(camera: Camera, space: Space, cells: Tensor) -> Tensor:
    """Returns [height, width], for which pixels the ray through their middle may meet a cell.

    Each cell is drawn as the rectangle around its eight corners, so that no ray that meets one is
    left out. Outside of a box nothing is, since other spaces do not keep cells convex.

    Args:
        camera: on the pixel grid.
        space: of the scene.
        cells: [CELLS³], the ones that are not empty.
    """
    lens, device = camera.intrinsics, cells.device
    everything = torch.ones(lens.height, lens.width, dtype=torch.bool, device=device)
    if not isinstance(space, BoxSpace):
        return everything
    lower = cell_corners(cells.nonzero()[:, 0])
    if not len(lower):
        return ~everything
    ends = torch.arange(2.0, device=device)
    offsets = torch.cartesian_prod(ends, ends, ends)  # [8, 3]
    corners = space.to_world((lower[:, None] + offsets) / CELLS)  # [N, 8, 3]
    pose = torch.from_numpy(camera.cam_to_world).float().to(device)
    local = (corners - pose[:, 3]) @ pose[:, :3]
    depth = -local[..., 2]
    if float(depth.amin()) < NEAREST:
        return everything
    # Pixel centres lie at +0.5.
    columns = lens.cx + lens.fx * local[..., 0] / depth - 0.5
    rows = lens.cy - lens.fy * local[..., 1] / depth - 0.5
    left, right = _span(columns, lens.width)
    top, bottom = _span(rows, lens.height)
    # The sums of these differences count the rectangles over each pixel.
    differences = torch.zeros((lens.height + 1) * (lens.width + 1), device=device)
    for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1)):
        differences.index_add_(
            0, row * (lens.width + 1) + column, torch.full_like(depth[:, 0], sign)
        )
    differences.index_add_(0, bottom * (lens.width + 1) + right, torch.ones_like(depth[:, 0]))
    counts = differences.view(lens.height + 1, lens.width + 1).cumsum(0).cumsum(1)
    return counts[:-1, :-1] > 0.5


def _span(places: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First pixel and one past the last that places [N, 8] may reach, [N] each in 0 to `size`."""
    first = (places.amin(1) - MARGIN).ceil().clamp(0, size)
    last = (places.amax(1) + MARGIN).floor().clamp(-1, size - 1)
    return first.long(), torch.maximum(last + 1, first).long()
