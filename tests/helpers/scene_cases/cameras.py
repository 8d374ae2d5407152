"""Cameras: splits, lenses and poses."""

from __future__ import annotations

import numpy as np

from tests.helpers.scene_cases.case import NAMES, Case, all_of, tested_on
from tests.helpers.scene_inputs import (
    FLIP,
    ROUND,
    blender,
    colmap,
    frames,
    lens_of_colmap,
    llff,
    matrices,
    outward,
    plain,
    rotation_transposed,
    some_away,
    split_files,
    then,
    top,
    turned_at_random,
)
from tests.helpers.scenes import arc, edit, save_photos

CAMERAS = (
    Case(
        "Splits",
        "`train_filenames`, `test_filenames`, `val_filenames` of nerfstudio",
        "noticed",
        "are the split",
        {
            "train and test": top(train_filenames=NAMES[:9], test_filenames=NAMES[9:]),
            "val": top(train_filenames=NAMES[:9], val_filenames=NAMES[9:]),
            "test alone": top(test_filenames=NAMES[9:]),
            "stems": top(test_filenames=[n[7:-4] for n in NAMES[9:]]),
        },
        "^the split is that of",
        check=tested_on(9, 10, 11),
    ),
    Case(
        "Splits",
        "`transforms_train.json` with `transforms_test.json`",
        "read",
        "are the split; frames of `transforms_val.json` are not used",
        {"Blender": split_files("transforms_train.json", "transforms_test.json")},
        check=tested_on(9, 10, 11),
    ),
    Case(
        "Splits",
        "`transforms_val.json` alone; either beside `transforms.json`",
        "noticed",
        "its frames are for testing",
        {
            "Blender": split_files("transforms_train.json", "transforms_val.json"),
            "val": split_files("transforms.json", "transforms_val.json"),
            "test": split_files("transforms.json", "transforms_test.json"),
        },
        "^the test split is that of transforms_",
        check=tested_on(9, 10, 11),
    ),
    Case(
        "Splits",
        "none",
        "read",
        "every eighth photo by name is for testing",
        {"transforms.json": plain, "COLMAP": colmap(), "LLFF": llff},
        check=tested_on(0, 8),
    ),
    Case(
        "Splits",
        "a list that names no frame",
        "refused",
        "by the name of the list",
        {"train": top(train_filenames=["a.png"]), "test": top(test_filenames=["a.png"])},
        "none of its frames is named in (train|test)_filenames",
    ),
    Case(
        "Lenses",
        "distortion: `k1` to `k4`, `p1`, `p2`; any camera model of COLMAP",
        "read",
        "undone when photos are read; `k4` is the term in r⁸, but a denominator in `FULL_OPENCV`",
        {
            "OPENCV with k4": top(k1=0.02, k2=-0.01, k3=0.01, k4=0.005),
            "FULL_OPENCV": top(camera_model="FULL_OPENCV", k1=0.05, k4=0.04),
            "in small letters": top(camera_model="opencv", k1=0.01),
            "fisheye": top(camera_model="OPENCV_FISHEYE", k1=0.01),
            "SIMPLE_RADIAL": lens_of_colmap("SIMPLE_RADIAL", [20.0, 8.0, 6.0, -0.05]),
            "FOV": lens_of_colmap("FOV", [20.0, 20.0, 8.0, 6.0, 0.3]),
        },
    ),
    Case(
        "Lenses",
        "a polynomial that folds inside the photo",
        "refused",
        "calibrate again",
        {"OPENCV": top(k1=-3.0), "COLMAP": lens_of_colmap("RADIAL", [20.0, 8.0, 6.0, -3.0, 0.0])},
        r"photo_\d\d\.png: .* folds inside the photo, \d+%",
    ),
    Case(
        "Lenses",
        "keys or names of a lens model that is not supported",
        "refused",
        "by the key",
        {
            "f-theta": top(ftheta_p1=0.007),
            "latitude and longitude": top(latlong=True),
            "omnidirectional": top(xi=0.9),
            "k7": top(k7=0.1),
            "skew": top(b1=0.2),
            "in words": top(lens_type="fisheye"),
            "list": top(distortion_params=[0.1, 0.2]),
            "k5 without its model": top(k5=0.1),
            "model": top(camera_model="EQUIRECTANGULAR"),
        },
        "lens model|FULL_OPENCV|EQUIRECTANGULAR is not supported",
    ),
    Case(
        "Lenses",
        "`cx`, `cy` in a corner, such as fractions",
        "refused",
        "expected pixels",
        {"0.5": top(cx=0.5, cy=0.5), "0": top(cx=0.0, cy=0.0)},
        r"principal point cx 0\S*, cy 0\S* is the corner of the photo; expected pixels, about 8, 6",
    ),
    Case(
        "Lenses",
        "a principal point far from the middle",
        "noticed",
        "used as it is",
        {"rim": top(cx=15.0), "of the photo on its side": top(cx=6.0, cy=8.0)},
        "principal point of 12 photos is far from the middle",
    ),
    Case(
        "Lenses",
        "a focal length that is not in pixels, or is not positive",
        "refused",
        "by the field of view",
        {
            "fraction": top(fl_x=0.6, fl_y=0.6),
            "tiny": top(fl_x=5e-324, fl_y=5e-324),
            "zero": top(fl_x=0.0),
            "huge": top(fl_x=10**400),
        },
        "expected pixels of the photo|expected fl_x|expected integers",
    ),
    Case(
        "Lenses",
        "an unusual field of view; pixels that are not square",
        "noticed",
        "used as it is",
        {"2°": top(fl_x=400.0, fl_y=400.0), "fx and fy": top(fl_y=30.0)},
        "field of view of 12 photos is unusual|focal lengths of 12 photos differ",
    ),
    Case(
        "Lenses",
        "a focal length that contradicts the field of view or the photo's size",
        "refused",
        "with both values",
        {
            "angle": top(camera_angle_x=1.6),
            "size": top(fl_x=40.0, fl_y=42.0, cx=16.0, cy=12.0, w=None, h=None),
        },
        "contradict each other|are for photos of about 32×24",
    ),
    Case(
        "Lenses",
        "a lens for another aspect than the photo's",
        "refused",
        "with both sizes",
        {
            "transforms.json": top(w=16, h=16),
            "Blender": then(
                blender,
                lambda root: edit(
                    root / "transforms_train.json", lambda data: data.update(w=12, h=16)
                ),
            ),
            "COLMAP": then(colmap(), lambda root: save_photos(root / "images", 12, height=16)),
            "LLFF": then(llff, lambda root: save_photos(root / "images", 12, height=16)),
        },
        "another aspect",
    ),
    Case(
        "Poses",
        "level cameras on any arc, or side by side",
        "read",
        "up is the direction across their x axes",
        {"arc": plain, "forward": llff},
        check=lambda scene: all(abs(v.camera.cam_to_world[2, 0]) < 1e-9 for v in scene.train),
    ),
    Case(
        "Poses",
        "x axes that are parallel or turned at random",
        "noticed",
        "up is the mean of the photos' upper sides",
        {"turned": turned_at_random},
        "up is the mean of the photos' upper sides",
        check=all_of(36),
    ),
    Case(
        "Poses",
        "`up`, a direction, and `metres_per_unit` at the top of `transforms.json`, as captures of "
        "the [board](capture.md#true-size-the-printed-board) write them",
        "read",
        "up is that, and the true size goes along with the student",
        {"both": top(up=[0.0, 0.0, 2.0], metres_per_unit=0.25)},
        check=lambda scene: scene.metres_per_unit is not None and scene.metres_per_unit > 0.0,
    ),
    Case(
        "Poses",
        "an `up` that is not a direction; a `metres_per_unit` that is not a length",
        "refused",
        "with the value found",
        {"up": top(up="z"), "size": top(metres_per_unit=0)},
        "expected a direction of three numbers|expected a length in metres",
    ),
    Case(
        "Poses",
        "a frame without a pose",
        "noticed",
        "left out, and named",
        {
            "missing": frames(lambda f, i: f.pop("transform_matrix") if i == 3 else None),
            "null": frames(lambda f, i: f.update(transform_matrix=None) if i == 3 else None),
        },
        r"1 frames without a pose .* left out: images/photo_03\.png",
        check=all_of(11),
    ),
    Case(
        "Poses",
        "world-to-camera matrices; transposed, scaled or mirrored ones",
        "refused",
        "with the cause and the mend",
        {
            "world-to-camera": matrices(np.linalg.inv),
            "world-to-camera of OpenCV": matrices(lambda m: np.linalg.inv(m @ FLIP)),
            "transposed": matrices(np.transpose),
            "rotation": matrices(rotation_transposed),
            "scaled": matrices(lambda m: m @ np.diag([2.5, 2.5, 2.5, 1.0])),
            "mirrored": matrices(lambda m: m @ np.diag([1.0, 1.0, -1.0, 1.0])),
        },
        r"world-to-camera matrices.*invert|transposed.*transpose the|scaled by 2\.5: divide|mirr",
    ),
    Case(
        "Poses",
        "OpenCV axes; a room from its middle",
        "refused",
        "nearly all cameras look away from their common point; both causes are named",
        {"OpenCV": matrices(lambda m: m @ FLIP), "room": outward},
        "36 of 36 cameras look away .*OpenCV axes.*negate.*inside-out",
    ),
    Case(
        "Poses",
        "some cameras that look away from the common point",
        "noticed",
        "used as they are",
        {"14 of 36": some_away},
        "cameras look away from the point",
        check=all_of(36),
    ),
    Case(
        "Poses",
        "one photo at two poses, or two photos at one",
        "refused",
        "with both names",
        {
            "photo": frames(lambda f, i: f.update(file_path=NAMES[0]) if i == 4 else None),
            "pose": frames(
                lambda f, i: (
                    f.update(transform_matrix=np.vstack([arc()[0], [0, 0, 0, 1]]).tolist())
                    if i == 4
                    else None
                )
            ),
        },
        "are the same photo|have the same pose",
    ),
    Case(
        "Poses",
        "a Blender world whose up is not +z, or whose cameras are not a few units away",
        "noticed",
        "used as it is; under the name `transforms.json` it is normalised",
        {
            "y up": lambda root: blender(
                root, [np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ p for p in ROUND]
            ),
            "centimetres": lambda root: blender(root, [p * [1, 1, 1, 100] for p in ROUND]),
        },
        r"up is \+y by the cameras|\d+ units from their target",
        check=all_of(36),
    ),
)
