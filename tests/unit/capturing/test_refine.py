"""Lenses after the last adjustment: as rich as photos allow, and never one that makes no sense."""

from __future__ import annotations

import numpy as np
import pycolmap
import pytest

from mobile_nelf.capturing.refine import refined
from mobile_nelf.lenses import DistortedLens

WIDTH, HEIGHT, FOCAL = 320, 240, 288.0
#: Points lie within so many pixels of the middle, and tell nothing about the corners of a lens.
MIDDLE = 110.0


def _registered(bends: tuple[float, float], photos: int):
    """A reconstruction of a lens with distortion, as it is registered: with one number for it."""
    options = pycolmap.SyntheticDatasetOptions()
    options.num_rigs = 1
    options.num_frames_per_rig = photos
    options.num_points3D = 300
    options.num_points2D_without_point3D = 0
    options.camera_width, options.camera_height = WIDTH, HEIGHT
    options.camera_params = [FOCAL, WIDTH / 2, HEIGHT / 2, 0.0]
    pycolmap.set_random_seed(0)
    found = pycolmap.synthesize_dataset(options)
    true = pycolmap.Camera(
        model="OPENCV",
        width=WIDTH,
        height=HEIGHT,
        params=[FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2, *bends, 0.0, 0.0],
    )
    for image in found.images.values():
        for index, point in enumerate(image.points2D):
            local = image.cam_from_world() * found.points3D[point.point3D_id].xyz
            straight = local[:2] / local[2] * FOCAL
            if np.linalg.norm(straight) > MIDDLE:
                found.delete_observation(image.image_id, index)
            else:
                point.xy = true.img_from_cam(local)
    return found


@pytest.mark.parametrize(
    ("bends", "photos", "model", "simplified"),
    [
        ((-0.1, 0.05), 14, "OPENCV", False),
        # Fewer photos than four numbers need.
        ((-0.1, 0.0), 6, "SIMPLE_RADIAL", False),
        # The fourth power alone folds beyond what the points show; one number fits it as well.
        ((0.35, -2.2), 14, "SIMPLE_RADIAL", True),
        # Both polynomials fold.
        ((-1.4, 0.0), 14, "SIMPLE_PINHOLE", True),
    ],
)
def test_a_lens_that_would_fold_is_described_by_less(bends, photos, model, simplified):
    result = refined(pycolmap, _registered(bends, photos), 1)
    (camera,) = result.model.cameras.values()
    assert camera.model_name == model
    assert bool(result.simplified) is simplified
    lens = DistortedLens(model, WIDTH, HEIGHT, tuple(camera.params))
    assert lens.pinhole().width == WIDTH
    assert camera.focal_length_x == pytest.approx(FOCAL, rel=0.12)
