"""Poses that came with the photos, adjusted: points are placed by them, and move them in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["triangulated"]

#: Points are placed anew with the poses that the last ones gave. Of poses 1° and 0.7 % of the way
#: off, three rounds leave 0.1° and 0.03 %.
ROUNDS = 3
#: A photo that shows fewer points of the others has the wrong pose.
FEWEST_POINTS = 15
#: Turns camera axes right, up, back into right, down, ahead.
TO_OPENCV = np.diag([1.0, -1.0, -1.0])


def triangulated(colmap: Any, job: dict[str, Any], database: Path, output: Path) -> Any:
    """Returns a `pycolmap.Reconstruction` of the photos whose given poses fit, adjusted.

    Args:
        colmap: pycolmap.
        job: see `child.Job`; its poses are those of the cameras in the world, [3, 4] with axes
            right, up, back.
        database: with features and matches.
        output: folder that COLMAP may use.
    """
    model = _given(colmap, job["poses"], database)
    options = colmap.IncrementalPipelineOptions()
    options.num_threads = job["threads"]
    options.random_seed = job["seed"]
    options.extract_colors = False
    adjusting = colmap.BundleAdjustmentOptions()
    adjusting.print_summary = False
    adjusting.ceres.solver_options.num_threads = job["threads"]
    for _ in range(ROUNDS):
        model = colmap.triangulate_points(
            model, database, job["photos"], output, clear_points=True, options=options
        )
        if not model.num_points3D():
            break
        colmap.bundle_adjustment(model, adjusting)
    for image in list(model.images.values()):
        if image.num_points3D < FEWEST_POINTS:
            model.deregister_frame(image.frame_id)
    return model


def _given(colmap: Any, poses: dict[str, Any], database: Path) -> Any:
    model = colmap.Reconstruction()
    with colmap.Database.open(database) as opened:
        cameras, images = opened.read_all_cameras(), opened.read_all_images()
    for camera in cameras:
        model.add_camera_with_trivial_rig(camera)
    for image in images:
        if image.name not in poses:
            continue
        pose = np.array(poses[image.name], np.float64)
        turn = (pose[:, :3] @ TO_OPENCV).T
        placed = np.concatenate([turn, -turn @ pose[:, 3:]], 1)
        known = colmap.Image(name=image.name, camera_id=image.camera_id, image_id=image.image_id)
        model.add_image_with_trivial_frame(known, colmap.Rigid3d(placed))
    return model
