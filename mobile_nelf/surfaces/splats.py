"""Splats on the surface of a teacher, in closed form: nothing is trained.

Each is a flat Gaussian (Kerbl et al., 3D Gaussian Splatting, SIGGRAPH 2023) on the surface, as wide
as its neighbours are apart, with the mean colour that the teacher shows there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobile_nelf.cameras import FloatArray
from mobile_nelf.surfaces.skin import Skin

__all__ = ["Splats", "surface_splats", "turned"]

#: Standard deviation across the surface, as a multiple of the distance between splats.
WIDTH = 0.5
#: Along the normal, as a multiple of that across.
FLATNESS = 0.1
#: How far splats lie below the surface, as a multiple of that across: their blur reaches out of it
#: again. Five photos of the microphone: 25.76 dB with 2, 26.13 with 2.5.
INSET = 2.5
#: A splat is never wholly opaque: its file keeps the logit.
OPAQUEST = 0.99


@dataclass(frozen=True, eq=False)
class Splats:
    """Gaussians with one colour each (spherical harmonics of degree 0).

    Attributes:
        centres: [N, 3].
        scales: [N, 3] standard deviations along their own axes.
        rotations: [N, 4] unit quaternions w, x, y, z from their own axes to those of the world.
        opacity: [N] within (0, 1), at the centre.
        colours: [N, 3], as photos have them; [0, 1] but for what other programs trained.
    """

    centres: FloatArray
    scales: FloatArray
    rotations: FloatArray
    opacity: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float32]

    def __repr__(self) -> str:
        """Returns the count, without the numbers."""
        return f"Splats({len(self.centres)})"


def surface_splats(points: FloatArray, normals: FloatArray, skin: Skin, area: float) -> Splats:
    """Returns a splat for each point of a surface.

    Args:
        points: [N, 3], spread evenly.
        normals: [N, 3] unit vectors there.
        skin: what the points look like.
        area: of the surface for each point, square world units.
    """
    width = WIDTH * float(np.sqrt(area))
    scales = np.full((len(normals), 3), width)
    scales[:, 2] *= FLATNESS
    return Splats(
        points - INSET * width * normals,
        scales,
        _from_z_to(normals),
        np.clip(skin.opacity, 1.0 - OPAQUEST, OPAQUEST),
        skin.colours,
    )


def turned(splats: Splats, rotation: FloatArray, scale: float = 1.0) -> Splats:
    """Returns the same splats in another frame, scale · rotation · x with a rotation [3, 3]."""
    trace = float(np.trace(rotation))
    # Right for turns of less than 180°.
    real = np.sqrt(1.0 + trace) / 2.0
    skew = rotation - rotation.T
    turn = np.array([real, *(np.array([skew[2, 1], skew[0, 2], skew[1, 0]]) / (4.0 * real))])
    return Splats(
        scale * splats.centres @ rotation.T,
        scale * splats.scales,
        _product(turn, splats.rotations),
        splats.opacity,
        splats.colours,
    )


def _from_z_to(normals: FloatArray) -> FloatArray:
    """Quaternions [N, 4] of the shortest turns of the z axis to unit vectors [N, 3]."""
    x, y, z = normals.T
    halves = np.stack([1.0 + z, -y, x, np.zeros_like(z)], 1)
    lengths = np.linalg.norm(halves, axis=1, keepdims=True)
    upside_down = np.array([0.0, 1.0, 0.0, 0.0])
    return np.where(lengths > 1e-6, halves / np.maximum(lengths, 1e-6), upside_down)


def _product(first: FloatArray, second: FloatArray) -> FloatArray:
    """The quaternions [N, 4] of turning by `second` [N, 4] and then by `first` [4]."""
    a, b, c, d = first
    matrix = np.array([[a, -b, -c, -d], [b, a, -d, c], [c, d, a, -b], [d, -c, b, a]])
    return np.asarray(second @ matrix.T, np.float64)
