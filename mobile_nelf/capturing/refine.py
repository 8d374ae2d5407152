"""The last adjustment: lenses with more parameters than they were registered with, if these fit."""

from __future__ import annotations

from typing import Any, NamedTuple

from mobile_nelf.errors import SceneError
from mobile_nelf.lenses import DistortedLens

__all__ = ["Refined", "refined"]

#: COLMAP's camera models, each followed by the one that is taken where it makes no sense.
SIMPLER = {"OPENCV": "SIMPLE_RADIAL", "SIMPLE_RADIAL": "SIMPLE_PINHOLE"}
#: Photos of a lens from which its distortion is estimated with four numbers instead of one.
PHOTOS_FOR_OPENCV = 10
#: Photos of a lens from which its principal point is estimated, and by what share of a side it may
#: lie off the middle to be believed.
PHOTOS_FOR_CENTRE = 30
CENTRE_SHARE = 0.03
#: Outliers after adjustment: pixels, and degrees between the rays of a point.
LARGEST_ERROR = 4.0
SMALLEST_ANGLE = 1.5


class Refined(NamedTuple):
    """An adjusted reconstruction.

    Attributes:
        model: a `pycolmap.Reconstruction`.
        simplified: numbers of the cameras whose lens has less parameters than its photos allow,
            since with more it would fold inside the picture.
    """

    model: Any
    simplified: tuple[int, ...]


def refined(colmap: Any, registered: Any, threads: int) -> Refined:
    """Adjusts poses, points and lenses together.

    Args:
        colmap: pycolmap.
        registered: reconstruction whose lenses are of COLMAP's model SIMPLE_RADIAL.
        threads: to use.
    """
    used: dict[int, int] = {}
    for image in registered.images.values():
        if image.has_pose:
            used[image.camera_id] = used.get(image.camera_id, 0) + 1
    wanted = {
        number: "OPENCV" if count >= PHOTOS_FOR_OPENCV else "SIMPLE_RADIAL"
        for number, count in used.items()
    }
    chosen = dict(wanted)
    while True:
        model = colmap.Reconstruction(registered)
        for number, name in chosen.items():
            _set_lens(colmap, model.cameras[number], name)
        _adjust(colmap, model, threads)
        # Polynomials fitted to the middle of photos, or to wrong poses, may fold at the corners.
        bent = [n for n in used if chosen[n] in SIMPLER and not _straightens(model.cameras[n])]
        if not bent:
            break
        chosen |= {number: SIMPLER[chosen[number]] for number in bent}
    if used and min(used.values()) >= PHOTOS_FOR_CENTRE:
        freed = colmap.Reconstruction(model)
        _adjust(colmap, freed, threads, centre=True)
        cameras = [freed.cameras[number] for number in used]
        if all(_is_near_centre(camera) and _straightens(camera) for camera in cameras):
            model = freed
    return Refined(model, tuple(n for n in sorted(used) if chosen[n] != wanted[n]))


def _set_lens(colmap: Any, camera: Any, name: str) -> None:
    focal, column, row, bend = camera.params
    camera.model = getattr(colmap.CameraModelId, name)
    camera.params = {
        "OPENCV": [focal, focal, column, row, bend, 0.0, 0.0, 0.0],
        "SIMPLE_RADIAL": [focal, column, row, bend],
        "SIMPLE_PINHOLE": [focal, column, row],
    }[name]


def _straightens(camera: Any) -> bool:
    lens = DistortedLens(
        camera.model_name, camera.width, camera.height, tuple(map(float, camera.params))
    )
    try:
        lens.pinhole()
    except SceneError:
        return False
    return True


def _adjust(colmap: Any, model: Any, threads: int, *, centre: bool = False) -> None:
    """Minimises the reprojection error, drops outliers and minimises it again."""
    options = colmap.BundleAdjustmentOptions()
    options.refine_principal_point = centre
    options.print_summary = False
    options.ceres.solver_options.num_threads = threads
    for _ in range(2):
        colmap.bundle_adjustment(model, options)
        colmap.ObservationManager(model).filter_all_points3D(LARGEST_ERROR, SMALLEST_ANGLE)
    model.update_point_3d_errors()


def _is_near_centre(camera: Any) -> bool:
    across = abs(camera.principal_point_x / camera.width - 0.5)
    down = abs(camera.principal_point_y / camera.height - 0.5)
    return bool(max(across, down) <= CENTRE_SHARE)
