"""The surface of a teacher: where the light that comes from outside ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch

from mobile_nelf.cameras import FloatArray
from mobile_nelf.compute import reduced_precision
from mobile_nelf.errors import InputError
from mobile_nelf.extras import import_extra
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.teachers.marching import CELLS, cell_corners
from mobile_nelf.teachers.ngp import NgpTeacher
from mobile_nelf.teachers.spaces import ContractedSpace, NdcSpace

__all__ = ["Surface", "find_surface", "simplified"]

IntArray = npt.NDArray[np.int64]

#: Samples of the density along each axis; twice as many as the teachers of presets tell apart.
RESOLUTION = 256
#: The surface is where so much of the light is left on the way from outside. At 0.5 the cable of
#: the microphone was cut in two where it is soft; at 0.7 all of it was farther from where rays end.
LIGHT_LEFT = 0.6
LEVEL = -float(np.log(LIGHT_LEFT))
#: In samples; without it, a sharp density makes stairs and a noisy one dents. What is two samples
#: thin stays, which is all that teachers tell apart.
SMOOTHING = 0.7
#: What is deeper counts as this: twice the level, so that smoothing moves no sharp border.
DEEPEST = 2.0 * LEVEL
#: A part with less than this share of the whole area floats beside the object by mistake.
SMALLEST_PART = 0.01
#: Cells whose densities are asked for together.
BATCH = 1 << 9


@dataclass(frozen=True, eq=False)
class Surface:
    """Triangles in the world of a scene.

    Attributes:
        vertices: [N, 3] world frame.
        faces: [M, 3] indices of vertices, counter-clockwise seen from outside.
        dropped: small parts that were left out.
    """

    vertices: FloatArray
    faces: IntArray
    dropped: int = 0

    def __repr__(self) -> str:
        """Returns the counts, without the numbers."""
        return f"Surface({len(self.vertices)} vertices, {len(self.faces)} triangles)"

    def crosses(self) -> FloatArray:
        """Returns [M, 3] normals of the triangles, each as long as twice its area."""
        first, second, third = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return np.asarray(np.cross(second - first, third - first), np.float64)

    def normals(self) -> FloatArray:
        """Returns [N, 3] unit normals of the vertices, the means of their triangles' by area."""
        crosses = self.crosses()
        sums = np.stack(
            [
                sum(
                    np.bincount(self.faces[:, corner], crosses[:, axis], len(self.vertices))
                    for corner in range(3)
                )
                for axis in range(3)
            ],
            axis=1,
        )
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        # A vertex whose triangles have no area may point anywhere.
        return np.where(lengths > 0.0, sums / np.maximum(lengths, 1e-30), (0.0, 0.0, 1.0))


def find_surface(teacher: NgpTeacher, on_progress: Progress = silent) -> Surface:
    """Returns the surface of what a teacher shows.

    It is where two fifths of the light are lost on the straightest way in: by marching cubes over
    the least optical depth of 26 directions. So it lies where rays end, whatever the density, and
    what is closed has no walls inside. Of an unbounded scene the part that is not contracted is
    taken.

    Args:
        teacher: of a scene with photos from around an object.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: the scene is forward-facing, or the teacher shows nothing.
        MissingExtraError: scikit-image is not installed.
    """
    measure = import_extra("skimage.measure", "export")
    ndimage = import_extra("scipy.ndimage", "export")
    if isinstance(teacher.space, NdcSpace):
        raise InputError(
            "the teacher's scene is forward-facing, which shows no other sides of anything; "
            "expected one with photos from around an object"
        )
    thickness, first = _thickness(teacher, on_progress)
    depth = _least_depth(thickness, on_progress)
    depth = ndimage.gaussian_filter(depth, SMOOTHING)
    if not depth.max() > LEVEL:
        raise InputError("the teacher shows nothing that is dense enough for a surface")
    points, faces, _, _ = measure.marching_cubes(depth, LEVEL, gradient_direction="ascent")
    unit = (points + first + 0.5) / RESOLUTION
    world = teacher.space.to_world(torch.from_numpy(unit)).numpy()
    return _large_parts(np.asarray(world, np.float64), np.asarray(faces, np.int64))


def _thickness(
    teacher: NgpTeacher, on_progress: Progress
) -> tuple[npt.NDArray[np.float32], IntArray]:
    """Optical depth of each step of a volume around the occupied cells [X, Y, Z].

    The second is where in the cube its first sample is. Densities count where the occupancy of the
    teacher lets rays see them.
    """
    cells = teacher.grid.mask.nonzero()[:, 0]
    corners = cell_corners(cells).long()
    if isinstance(teacher.space, ContractedSpace):  # all is as it is in the middle half
        inside = ((corners >= CELLS // 4) & (corners < CELLS - CELLS // 4)).all(1)
        corners = corners[inside]
    if not len(corners):
        raise InputError("the teacher shows nothing: no cell of its occupancy is occupied")
    side = RESOLUTION // CELLS
    steps = torch.arange(side, device=corners.device)
    inner = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).view(-1, 3)
    lower = corners.amin(0) * side - 1
    extent = (corners.amax(0) + 1) * side + 1 - lower
    volume = torch.zeros(extent.tolist())
    for part in counted("density", torch.split(corners, BATCH), on_progress):
        index = (part[:, None] * side + inner).view(-1, 3)
        with torch.no_grad(), reduced_precision(index.device):
            density, _ = teacher.field.density((index.float() + 0.5) / RESOLUTION)
        x, y, z = (index - lower).cpu().unbind(1)
        volume[x, y, z] = density.float().cpu() / RESOLUTION
    return volume.numpy(), lower.cpu().numpy()


def _least_depth(
    thickness: npt.NDArray[np.float32], on_progress: Progress
) -> npt.NDArray[np.float32]:
    """The least optical depth from outside to each sample [X, Y, Z], over 26 directions."""
    least = np.full(thickness.shape, np.float32(DEEPEST))
    ways = [way for way in product((-1, 0, 1), repeat=3) if any(way)]
    for way in counted("surface", ways, on_progress):
        axis = next(index for index, step in enumerate(way) if step)
        aside = [step for index, step in enumerate(way) if index != axis]
        length = np.float32(np.sqrt(sum(map(abs, way))))
        slices = np.moveaxis(thickness, axis, 0)[:: way[axis]]
        result = np.moveaxis(least, axis, 0)[:: way[axis]]
        passed = np.zeros_like(slices[0])
        for here, found in zip(slices, result, strict=True):
            # A sample lies in the middle of its own step.
            own = 0.5 * length * here
            before = _moved(passed, aside)
            np.minimum(found, before + own, out=found)
            passed = before + 2.0 * own
    return least


def _moved(plane: npt.NDArray[np.float32], steps: Sequence[int]) -> npt.NDArray[np.float32]:
    """A plane moved by a sample or none along its axes; what comes in is empty."""
    result = np.zeros_like(plane)
    into = tuple(slice(max(step, 0), min(step, 0) or None) for step in steps)
    out = tuple(slice(max(-step, 0), min(-step, 0) or None) for step in steps)
    result[into] = plane[out]
    return result


def _large_parts(vertices: FloatArray, faces: IntArray) -> Surface:
    """Leaves out what floats beside the object."""
    graph = import_extra("scipy.sparse.csgraph", "export")
    sparse = import_extra("scipy.sparse", "export")
    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    links = sparse.coo_matrix(
        (np.ones(len(edges), bool), (edges[:, 0], edges[:, 1])), [len(vertices)] * 2
    )
    count, label = graph.connected_components(links, directed=False)
    part = label[faces[:, 0]]
    lengths = np.linalg.norm(Surface(vertices, faces).crosses(), axis=1)
    areas = np.bincount(part, lengths, count)
    kept = areas >= SMALLEST_PART * areas.sum()
    return _compact(vertices, faces[kept[part]], int(count - kept.sum()))


def _compact(vertices: FloatArray, faces: IntArray, dropped: int) -> Surface:
    """Leaves out the vertices that no triangle has."""
    used, index = np.unique(faces, return_inverse=True)
    return Surface(vertices[used], index.reshape(faces.shape).astype(np.int64), dropped)


def simplified(surface: Surface, triangles: int) -> Surface:
    """Returns a surface of about so many triangles that is as near to it as they allow.

    By quadric error metrics (Garland and Heckbert, SIGGRAPH 1997). Where a surface is all holes and
    edges there is less to merge, so that more triangles are left.

    Raises:
        MissingExtraError: fast-simplification is not installed.
    """
    if len(surface.faces) <= triangles:
        return surface
    simplify = import_extra("fast_simplification", "export").simplify
    # It works in single precision, around the origin and in units of the object.
    centre, size = surface.vertices.mean(0), np.ptp(surface.vertices, 0).max()
    points, faces = simplify(
        ((surface.vertices - centre) / size).astype(np.float32),
        surface.faces.astype(np.int32),
        target_count=triangles,
    )
    return _compact(
        points.astype(np.float64) * size + centre, faces.astype(np.int64), surface.dropped
    )
