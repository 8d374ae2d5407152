"""What is particular to a format of camera files."""

from __future__ import annotations

from tests.helpers.scene_cases.case import NAMES, Case
from tests.helpers.scene_inputs import POINTS, colmap, llff, nex, plain, text_file, then
from tests.helpers.scenes import arc, name, save_photos, write_colmap

FORMATS = (
    Case(
        "COLMAP",
        "models in `sparse/0`, `sparse`, `colmap/sparse/0`, `dense/sparse`, "
        "`sparse/0/models/0`, `colmap_text`, `sfm*`, beside the photos; photos in `images`, "
        "`images_N`, `input`",
        "read",
        "binary or text",
        {
            "sparse/0": colmap(),
            "sparse": colmap("sparse"),
            "text": colmap(text=True),
            "nerfstudio": colmap("colmap/sparse/0"),
            "dense": colmap("dense/sparse", "dense/images"),
            "models": colmap("sparse/0/models/0"),
            "colmap_text": colmap("colmap_text", text=True),
            "hloc": colmap("sfm_superpoint+superglue"),
            "beside images": colmap("."),
            "one folder": colmap(".", "."),
            "3DGS": colmap("distorted/sparse/0", "input"),
            "images_2": colmap("sparse/0", "images_2"),
        },
    ),
    Case(
        "COLMAP",
        "several models",
        "noticed",
        "the one with the most photos",
        {
            "3 and 12": then(
                colmap("sparse/1"), lambda root: write_colmap(root / "sparse/0", arc()[:3], POINTS)
            )
        },
        "sparse/1 with 12 photos is used, not sparse/0 with 3",
    ),
    Case(
        "COLMAP",
        "names of photos with spaces",
        "read",
        "as they are",
        {
            kind: then(
                colmap(text=kind == "text"),
                lambda root: [
                    f.write_bytes(f.read_bytes().replace(b"photo_", b"my ph_"))
                    for f in (root / "sparse/0").glob("images.*")
                ],
                lambda root: [
                    f.rename(f.with_name(f.name.replace("photo_", "my ph_")))
                    for f in sorted((root / "images").iterdir())
                ],
            )
            for kind in ("text", "binary")
        },
    ),
    Case(
        "COLMAP",
        "no `points3D`",
        "noticed",
        "depths are guessed from the cameras",
        {
            kind: then(
                colmap(text=kind == "text"),
                lambda root: next((root / "sparse/0").glob("points3D.*")).unlink(),
            )
            for kind in ("text", "binary")
        },
        "has no points3D",
    ),
    Case(
        "COLMAP",
        "photos that were not registered",
        "noticed",
        "counted; left out",
        {"8 of 20": then(colmap(), lambda root: save_photos(root / "images", 20))},
        "^8 of 20 photos have no pose in the model",
    ),
    Case(
        "COLMAP",
        "a model that is cut off, or whose names are not UTF-8",
        "refused",
        "by the file",
        {
            "cut off": then(
                colmap(),
                lambda root: (root / "sparse/0/images.bin").write_bytes(
                    (root / "sparse/0/images.bin").read_bytes()[:-9]
                ),
            ),
            "Latin-1": then(
                colmap(),
                lambda root: (root / "sparse/0/images.bin").write_bytes(
                    (root / "sparse/0/images.bin").read_bytes().replace(b"photo_03", b"phot\xff_03")
                ),
            ),
        },
        r"images\.bin: (not a readable COLMAP model|the name of a photo is not UTF-8)",
    ),
    Case(
        "LLFF",
        "hidden files of macOS; `hwf_cxcy.npy` of NeX",
        "read",
        "hidden files are ignored; NeX has a lens and a principal point for each photo",
        {
            "hidden": then(
                llff, lambda root: (root / "images" / f"._{name(0)}").write_bytes(b"\0")
            ),
            "NeX": nex,
        },
    ),
    Case(
        "LLFF",
        "photos and poses that differ in number",
        "refused",
        "with both numbers",
        {"one fewer": then(llff, lambda root: (root / NAMES[3]).unlink())},
        "with 12 photos, one a row of poses_bounds.npy; found images with 11",
    ),
    Case(
        "Camera files",
        "a byte order mark; UTF-16",
        "read",
        "as they are",
        {"UTF-8": then(plain, text_file("utf-8-sig")), "UTF-16": then(plain, text_file("utf-16"))},
    ),
    Case(
        "Camera files",
        "the file itself as the argument",
        "read",
        "its folder",
        {"transforms.json": plain},
        argument="transforms.json",
    ),
    Case(
        "Camera files",
        "another name of a `transforms.json`, as the argument",
        "read",
        "as `transforms.json`",
        {
            "mine.json": then(
                plain, lambda root: (root / "transforms.json").rename(root / "mine.json")
            )
        },
        argument="mine.json",
    ),
    Case(
        "Camera files",
        "one that is cut off, or not JSON",
        "refused",
        "by the file",
        {
            "cut off": then(
                plain, lambda root: (root / "transforms.json").write_text('{"frames": [')
            ),
            "nested": then(
                plain, lambda root: (root / "transforms.json").write_text("[" * 200_000)
            ),
        },
        r"transforms\.json: is (cut off or not JSON|nested more deeply)",
    ),
    Case(
        "Camera files",
        "a folder without any",
        "refused",
        "with the names that are looked for",
        {"photos alone": lambda root: save_photos(root / "images", 12)},
        "no camera file that is known here; expected transforms_train.json",
    ),
)
