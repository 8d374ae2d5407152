"""Structure from motion, as a program of its own: `python -m mobile_nelf.capturing.sfm JOB.json`.

COLMAP aborts the process it runs in where it cannot continue. Each line on the standard output says
how far it is, as JSON; results are files in the folder of the job. It ends when its standard input
is closed, so that it never outlives the command that started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mobile_nelf.atomic import replace_file
from mobile_nelf.capturing.refine import refined
from mobile_nelf.capturing.triangulate import triangulated
from mobile_nelf.extras import import_extra
from mobile_nelf.parsing import read_json

__all__ = ["DATABASE", "MODEL", "RESULT", "main"]

#: In the folder of a job.
DATABASE, MODELS, MODEL, RESULT = "database.db", "models", "model", "result.json"

#: Pairs that are matched between two signs of life.
PAIRS_AT_ONCE = 64
#: Of a reconstruction.
FEWEST_PHOTOS = 3
#: To choose pairs among many photos: the largest features of smaller pictures tell which show the
#: same.
CHOOSING_FEATURES = 512
CHOOSING_SIDE = 800
CHOOSING_INLIERS = 8

T = TypeVar("T")
Job = dict[str, Any]


def main(file: str) -> None:
    """Runs a job and writes its result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job: Job = read_json(Path(file))
    # Deferred: this import takes a second, and fails with a sentence where it is missing.
    colmap = import_extra("pycolmap", "capture")
    colmap.logging.minloglevel = 1
    # On the standard error, which the parent keeps; not in files of COLMAP's own choice.
    colmap.logging.logtostderr = True
    folder = Path(job["folder"])
    _extract(colmap, job, folder / DATABASE, "features")
    pairs = job["pairs"]
    if pairs is None:
        pairs = _chosen_pairs(colmap, job, folder)
    _match(colmap, job, folder / DATABASE, pairs, "matches")
    models = _map(colmap, job, folder)
    best = max(models, key=lambda model: model.num_reg_images(), default=None)
    simplified: list[str] = []
    if best is not None:
        _say("refine", 0, 1)
        found = refined(colmap, best, job["threads"])
        _write(found.model, folder / MODEL)
        simplified = [_first_photo(found.model, camera) for camera in found.simplified]
        _say("refine", 1, 1)
    result = {
        "simplified": simplified,
        "pairs": pairs,
        "models": sorted((_names(model) for model in models), key=len, reverse=True),
        "photos": _matched(colmap, folder / DATABASE),
    }
    replace_file(folder / RESULT, json.dumps(result).encode())


def _end_with_parent() -> None:
    # Not through `sys.stdin`, whose lock a thread must not hold when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)


def _say(stage: str, done: int, total: int) -> None:
    print(json.dumps([stage, done, total]), flush=True)


def _portions(stage: str, items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    _say(stage, 0, len(items))
    for start in range(0, len(items), size):
        yield items[start : start + size]
        _say(stage, min(start + size, len(items)), len(items))


def _extract(
    colmap: Any, job: Job, database: Path, stage: str, largest: tuple[int, int] | None = None
) -> None:
    """Finds features; photos that are in the database already are left alone.

    Args:
        colmap: pycolmap.
        job: see `child.Job`.
        database: to write.
        stage: its name for progress.
        largest: number of features and side of the picture, if other than the job's.
    """
    options = colmap.FeatureExtractionOptions()
    options.num_threads = job["threads"]
    options.use_gpu = False
    features, side = largest or (job["features"], -1)
    options.sift.max_num_features = features
    options.max_image_size = side
    options.sift.first_octave = 0 if largest else job["first_octave"]
    named = [(name, group) for group in job["groups"] for name in group["names"]]
    for portion in _portions(stage, named, 2 * job["threads"]):
        for group in job["groups"]:
            names = [name for name, its in portion if its is group]
            if not names:
                continue
            reader = colmap.ImageReaderOptions()
            reader.camera_model = "SIMPLE_RADIAL"
            if group["focal"] is not None:
                width, height = group["width"] / 2, group["height"] / 2
                reader.camera_params = f"{group['focal']},{width},{height},0"
            if job["masks"] is not None:
                reader.mask_path = job["masks"]
            # Of one call to the next COLMAP forgets that these photos share a camera.
            known = _camera_of(colmap, database, group["names"])
            if known is not None:
                reader.existing_camera_id = known
            colmap.extract_features(
                database,
                job["photos"],
                image_names=names,
                camera_mode=colmap.CameraMode.SINGLE,
                reader_options=reader,
                extraction_options=options,
                device=colmap.Device.cpu,
            )


def _camera_of(colmap: Any, database: Path, names: Sequence[str]) -> int | None:
    """Returns the camera of photos that are in the database already; None without any."""
    if not database.exists():
        return None
    with colmap.Database.open(database) as opened:
        wanted = set(names)
        for image in opened.read_all_images():
            if image.name in wanted:
                return int(image.camera_id)
    return None


def _match(
    colmap: Any, job: Job, database: Path, pairs: Sequence[Sequence[str]], stage: str
) -> None:
    """Matches pairs; those in the database already are left alone."""
    matching = colmap.FeatureMatchingOptions()
    matching.num_threads = job["threads"]
    matching.use_gpu = False
    verifying = colmap.TwoViewGeometryOptions()
    verifying.ransac.random_seed = job["seed"]
    verifying.filter_stationary_matches = job["stationary"]
    file = database.with_name("pairs.txt")
    pairing = colmap.ImportedPairingOptions()
    pairing.match_list_path = file
    for portion in _portions(stage, pairs, PAIRS_AT_ONCE):
        file.write_text("".join(f"{first} {second}\n" for first, second in portion))
        colmap.match_image_pairs(
            database,
            matching_options=matching,
            pairing_options=pairing,
            verification_options=verifying,
            device=colmap.Device.cpu,
        )


def _chosen_pairs(colmap: Any, job: Job, folder: Path) -> list[tuple[str, str]]:
    """Returns the pairs of photos that show the same, judged by few features, and of neighbours."""
    database = folder / "choosing.db"
    _extract(colmap, job, database, "small features", (CHOOSING_FEATURES, CHOOSING_SIDE))
    names = [name for group in job["groups"] for name in group["names"]]
    # By number: of the order in which photos were taken, whatever their lens.
    names.sort(key=lambda name: name.partition("/")[2])
    every = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    _match(colmap, job, database, every, "small matches")
    with colmap.Database.open(database) as opened:
        called: dict[int, str] = {image.image_id: image.name for image in opened.read_all_images()}
        geometries = zip(*opened.read_two_view_geometries(), strict=True)
        found = [
            (len(geometry.inlier_matches), colmap.pair_id_to_image_pair(number))
            for number, geometry in geometries
        ]
    alike: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for inliers, pair in found:
        if inliers >= CHOOSING_INLIERS:
            first, second = (called[number] for number in pair)
            alike[first].append((inliers, second))
            alike[second].append((inliers, first))
    chosen = {
        tuple(sorted((name, other)))
        for name, others in alike.items()
        for _, other in sorted(others, reverse=True)[: job["neighbours"]]
    }
    chosen |= {
        tuple(sorted((name, other)))
        for place, name in enumerate(names)
        for other in names[place + 1 : place + 4]
    }
    return [(first, second) for first, second in sorted(chosen)]


def _map(colmap: Any, job: Job, folder: Path) -> list[Any]:
    """Returns the reconstructions."""
    output = folder / MODELS
    output.mkdir(exist_ok=True)
    total = sum(len(group["names"]) for group in job["groups"])
    _say("poses", 0, total)
    if job["mapper"] == "given":
        model = triangulated(colmap, job, folder / DATABASE, output)
        found = {0: model} if model.num_reg_images() >= FEWEST_PHOTOS else {}
    elif job["mapper"] == "global":
        options = colmap.GlobalPipelineOptions()
        options.num_threads = job["threads"]
        options.random_seed = job["seed"]
        found = colmap.global_mapping(folder / DATABASE, job["photos"], output, options)
    else:
        found = _incremental(colmap, job, folder, output, total)
    _say("poses", total, total)
    return list(found.values())


def _incremental(colmap: Any, job: Job, folder: Path, output: Path, total: int) -> dict[int, Any]:
    options = colmap.IncrementalPipelineOptions()
    options.num_threads = job["threads"]
    options.random_seed = job["seed"]
    options.min_model_size = FEWEST_PHOTOS
    options.extract_colors = False
    registered = 2

    def on_image() -> None:
        nonlocal registered
        registered += 1
        _say("poses", min(registered, total), total)

    found: dict[int, Any] = colmap.incremental_mapping(
        folder / DATABASE, job["photos"], output, options, next_image_callback=on_image
    )
    return found


def _write(model: Any, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    model.write_binary(folder)


def _names(model: Any) -> list[str]:
    return sorted(image.name for image in model.images.values() if image.has_pose)


def _first_photo(model: Any, camera: int) -> str:
    """Returns the first photo of a camera."""
    images = model.images.values()
    return min(str(i.name) for i in images if i.has_pose and i.camera_id == camera)


def _matched(colmap: Any, database: Path) -> dict[str, dict[str, int]]:
    """Returns features of each photo, and with how many others it shares some."""
    with colmap.Database.open(database) as opened:
        images = opened.read_all_images()
        photos = {
            image.name: {
                "features": opened.num_keypoints_for_image(image.image_id),
                "partners": 0,
                "matches": 0,
            }
            for image in images
        }
        called = {image.image_id: image.name for image in images}
        for number, geometry in zip(*opened.read_two_view_geometries(), strict=True):
            inliers = len(geometry.inlier_matches)
            for image in colmap.pair_id_to_image_pair(number) if inliers else ():
                photos[called[image]]["partners"] += 1
                photos[called[image]]["matches"] += inliers
    return photos


if __name__ == "__main__":
    main(sys.argv[1])
