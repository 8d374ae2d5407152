"""Draws splats on the CPU, for measurements: exact order and no tiles, but seconds a frame.

As the reference renderer of 3D Gaussian Splatting (Kerbl et al., SIGGRAPH 2023): each Gaussian is
projected to a Gaussian in the picture (Zwicker et al., EWA volume splatting, 2001), widened by 0.3
square pixels, and blended from front to back.
"""

from __future__ import annotations

import numpy as np

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.pictures import FloatImage
from mobile_nelf.surfaces.splats import Splats

__all__ = ["draw_splats"]

#: What the reference renderer adds to the variance in the picture, square pixels.
LOW_PASS = 0.3
#: Its smallest and its largest opacity of a splat at a pixel.
FAINTEST, OPAQUEST = 1.0 / 255.0, 0.99
#: Splats nearer than this to the camera are left out, and beyond this multiple of the tangent of
#: the picture's rim the projection is taken from there; both as it does.
NEAREST = 0.2
RIM = 1.3
#: Pixels of splats that are blended together.
AT_ONCE = 1 << 18


def draw_splats(splats: Splats, camera: Camera) -> FloatImage:
    """Returns the picture on white, [height, width, 3] float32 in [0, 1].

    Args:
        splats: in the world of the camera.
        camera: on its own pixel grid.
    """
    lens = camera.intrinsics
    centre, conic, reach, order = _projected(splats, camera)
    low = np.ceil(centre - reach - 0.5).clip(0, [lens.width, lens.height]).astype(np.int64)
    high = np.floor(centre + reach - 0.5).clip(-1, [lens.width - 1, lens.height - 1])
    sides = np.maximum(high.astype(np.int64) + 1 - low, 0)
    light = np.ones(lens.height * lens.width)
    picture = np.zeros((lens.height * lens.width, 3))
    counts = sides.prod(1)
    # Front to back, as many splats at a time as have so many pixels.
    group = np.cumsum(counts) // AT_ONCE
    for first, last in zip(*_bounds(group), strict=True):
        part = slice(first, last)
        splat = np.repeat(np.arange(first, last), counts[part])
        inner = np.arange(len(splat)) - np.repeat(
            np.cumsum(counts[part]) - counts[part], counts[part]
        )
        column = low[splat, 0] + inner % np.maximum(sides[splat, 0], 1)
        row = low[splat, 1] + inner // np.maximum(sides[splat, 0], 1)
        x, y = column + 0.5 - centre[splat, 0], row + 0.5 - centre[splat, 1]
        a, b, c = conic[splat].T
        power = -0.5 * (a * x * x + c * y * y) - b * x * y
        alpha = np.minimum(splats.opacity[order[splat]] * np.exp(power), OPAQUEST)
        seen = alpha >= FAINTEST
        pixel = (row * lens.width + column)[seen]
        _blend(picture, light, pixel, alpha[seen], splats.colours[order[splat[seen]]])
    return (picture + light[:, None]).reshape(lens.height, lens.width, 3).astype(np.float32)


def _projected(
    splats: Splats, camera: Camera
) -> tuple[FloatArray, FloatArray, FloatArray, np.ndarray]:
    """Splats front to back, in pixels.

    Returns:
        Places [M, 2], inverse covariances a, b, c [M, 3], extents [M, 2], and which they are [M].
    """
    lens, axes = camera.intrinsics, camera.cam_to_world[:, :3]
    local = (splats.centres - camera.position) @ axes * [1.0, -1.0, -1.0]  # right, down, ahead
    order = np.argsort(local[:, 2], kind="stable")
    order = order[local[order, 2] > NEAREST]
    x, y, depth = local[order].T
    rims = RIM * np.array([lens.width / lens.fx, lens.height / lens.fy]) / 2.0
    across, down = np.clip(x / depth, -rims[0], rims[0]), np.clip(y / depth, -rims[1], rims[1])
    zero = np.zeros_like(depth)
    jacobian = np.stack(
        [
            np.stack([lens.fx / depth, zero, -lens.fx * across / depth], 1),
            np.stack([zero, lens.fy / depth, -lens.fy * down / depth], 1),
        ],
        1,
    )  # [M, 2, 3]
    to_camera = (axes * [1.0, -1.0, -1.0]).T
    spread = _matrices(splats.rotations[order]) * splats.scales[order][:, None]  # [M, 3, 3]
    half = jacobian @ (to_camera @ spread)
    covariance = half @ half.transpose(0, 2, 1) + LOW_PASS * np.eye(2)
    p, q, r = covariance[:, 0, 0], covariance[:, 0, 1], covariance[:, 1, 1]
    conic = np.stack([r, -q, p], 1) / (p * r - q * q)[:, None]
    # Where the Gaussian falls below the faintest, which may be nowhere.
    sigmas = np.sqrt(2.0 * np.log(np.maximum(splats.opacity[order] / FAINTEST, 1.0)))
    reach = sigmas[:, None] * np.sqrt(np.stack([p, r], 1))
    places = np.stack([lens.cx + lens.fx * x / depth, lens.cy + lens.fy * y / depth], 1)
    return places, conic, reach, order


def _matrices(rotations: FloatArray) -> FloatArray:
    """Rotation matrices [N, 3, 3] of unit quaternions w, x, y, z [N, 4]."""
    w, x, y, z = rotations.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1)


def _bounds(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First indices of the runs of equal numbers in an ascending array, and the ones after them."""
    firsts = np.flatnonzero(np.diff(group, prepend=-1))
    return firsts, np.append(firsts, len(group))[1:]


def _blend(
    picture: FloatArray, light: FloatArray, pixel: np.ndarray, alpha: FloatArray, colour: np.ndarray
) -> None:
    """Blends shares that come front to back behind what the picture has already."""
    by_pixel = np.argsort(pixel, kind="stable")
    pixel, alpha, colour = pixel[by_pixel], alpha[by_pixel], colour[by_pixel]
    thickness = -np.log1p(-alpha)
    before = np.cumsum(thickness) - thickness
    firsts, _ = _bounds(pixel)
    before -= np.repeat(before[firsts], np.diff(np.append(firsts, len(pixel))))
    share = light[pixel] * np.exp(-before) * alpha
    for channel in range(3):
        picture[:, channel] += np.bincount(pixel, share * colour[:, channel], len(light))
    light *= np.exp(-np.bincount(pixel, thickness, len(light)))
