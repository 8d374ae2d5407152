"""Poses of photos: a plan of tries, each in a child process that may abort; the best one wins."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_nelf.atomic import replace_file
from mobile_nelf.capturing.child import JOB, Job, JobGroup, Rows, run
from mobile_nelf.capturing.intake import Intake, Photo
from mobile_nelf.capturing.options import CaptureOptions
from mobile_nelf.capturing.sfm import MODEL, RESULT
from mobile_nelf.parsing import read_json
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.progress import Progress

__all__ = [
    "ENOUGH_SHARE",
    "Job",
    "JobGroup",
    "Matched",
    "Structure",
    "Try",
    "find_structure",
    "run",
]

#: A try with this share of the photos ends the plan.
ENOUGH_SHARE = 0.8
#: All pairs of more photos than these would take longer than to choose some.
MOST_EXHAUSTIVE = 80
#: Partners of each photo, where some are chosen.
NEIGHBOURS = 20
#: Frames of a video are matched with so many after them, with those at powers of two, and every so
#: many with all such, which closes rings.
OVERLAP = 8
RING_STEP = 4
#: Below this side a picture is doubled before features are sought: four times the time, and
#: detail that larger pictures of phones do not hold.
DOUBLED_BELOW = 1000
#: Features a photo, and with the try that wants more.
FEATURES, MORE_FEATURES = 4096, 8192
DOUBLED_FEATURES = 8192


@dataclass(frozen=True)
class Matched:
    """How well a photo matches the others.

    Attributes:
        features: that were found in it.
        partners: photos that it shares verified matches with.
        matches: all those together.
    """

    features: int
    partners: int
    matches: int


@dataclass(frozen=True)
class Try:
    """One attempt.

    Attributes:
        what: of it is special, in words.
        registered: photos in its best model.
        models: photos of each of its models.
    """

    what: str
    registered: int
    models: tuple[int, ...]


@dataclass(frozen=True)
class Structure:
    """The best reconstruction of all tries.

    Attributes:
        model: folder of the refined COLMAP model.
        registered: names of its photos; none if no try placed three.
        others: names of the photos of each further model.
        matched: by the name of the photo.
        tries: in their order.
        pairs: that were matched.
        simplified: a photo of each lens that is described by less than its photos allow, since the
            richer description folds inside the picture.
    """

    model: Path
    registered: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]
    matched: dict[str, Matched]
    tries: tuple[Try, ...]
    pairs: tuple[tuple[str, str], ...]
    simplified: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Result:
    models: tuple[tuple[str, ...], ...]
    photos: dict[str, Matched]
    pairs: tuple[tuple[str, str], ...]
    simplified: tuple[str, ...] = ()


def find_structure(
    intake: Intake,
    photos: Path,
    folder: Path,
    options: CaptureOptions,
    on_progress: Progress,
    *,
    masks: Path | None = None,
    stationary: bool = False,
    still: bool = False,
    poses: dict[str, Rows] | None = None,
) -> Structure:
    """Tries one way after the other until one registers enough photos; the most photos win.

    Args:
        intake: the photos.
        photos: their folder.
        folder: for the files of all tries; what is finished there is used again.
        options: threads and seed.
        on_progress: called with a stage, steps done and steps in all.
        masks: folder of masks, see `Job`.
        stationary: drop matches that do not move.
        still: the background stands still against the camera; no try is without masks then, since
            it would hold the photos together at one place.
        poses: that came with the photos, by name; the first try adjusts them.

    Raises:
        CaptureError: a child process ended by itself.
    """
    tries: list[Try] = []
    best: tuple[_Result, Job] | None = None
    plan = _plan(intake, photos, folder, options)
    if poses is not None:
        what, job = plan[0]
        given = replace(job, folder=str(folder / "given"), mapper="given", poses=poses)
        plan.insert(0, (f"{what}, poses as given", given))
    masked = [
        (what, replace(job, masks=None if masks is None else str(masks), stationary=stationary))
        for what, job in plan
    ]
    if masks is not None and not stationary and not still:
        # What lies around the object may hold the photos together better than itself.
        what, job = plan[0]
        masked.insert(1, (f"{what}, without masks", replace(job, folder=f"{job.folder}-unmasked")))
    for number, (what, job) in enumerate(masked, start=1):
        named = on_progress if number == 1 else _numbered(on_progress, number)
        result = _cached(job, named)
        sizes = tuple(len(model) for model in result.models)
        tries.append(Try(what, max(sizes, default=0), sizes))
        if sizes and (best is None or sizes[0] > len(best[0].models[0])):
            best = result, job
        if best is not None and len(best[0].models[0]) >= ENOUGH_SHARE * len(intake.photos):
            break
    if best is None:
        return Structure(folder, (), (), result.photos, tuple(tries), result.pairs)
    found, job = best
    return Structure(
        Path(job.folder) / MODEL,
        found.models[0],
        found.models[1:],
        found.photos,
        tuple(tries),
        found.pairs,
        found.simplified,
    )


def _plan(
    intake: Intake, photos: Path, folder: Path, options: CaptureOptions
) -> list[tuple[str, Job]]:
    """Returns the tries with what is special about each."""
    groups = tuple(
        JobGroup(
            tuple(photo.name for photo in intake.photos if photo.group == index),
            group.width,
            group.height,
            group.focal,
        )
        for index, group in enumerate(intake.groups)
    )
    doubled = max(max(group.width, group.height) for group in groups) < DOUBLED_BELOW
    names = [photo.name for photo in intake.photos]
    every = tuple((a, b) for place, a in enumerate(names) for b in names[place + 1 :])
    few = len(names) <= MOST_EXHAUSTIVE
    video = all(photo.seconds is not None for photo in intake.photos)

    def job(place: str, pairs: tuple[tuple[str, str], ...] | None, more: bool, mapper: str) -> Job:
        features = MORE_FEATURES if more else DOUBLED_FEATURES if doubled else FEATURES
        return Job(
            folder=str(folder / place),
            photos=str(photos),
            masks=None,
            groups=groups,
            pairs=pairs,
            neighbours=NEIGHBOURS * (2 if more else 1),
            first_octave=-1 if more or doubled else 0,
            features=2 * features if more and doubled else features,
            mapper=mapper,
            stationary=False,
            threads=options.used_threads,
            seed=options.seed,
        )

    wide = every if few else None
    pairs_text = f"all {len(every):,} pairs" if few else f"{NEIGHBOURS} partners a photo"
    tries = []
    if video:
        sequence = _sequence(intake.photos)
        tries.append(
            (f"{len(sequence):,} pairs in sequence", job("first", sequence, False, "incremental"))
        )
    tries += [
        (pairs_text, job("first" if not video else "wide", wide, False, "incremental")),
        (f"{pairs_text}, more features", job("more", wide, True, "incremental")),
        (
            f"{pairs_text}, more features, all poses at once",
            job("more-global", wide, True, "global"),
        ),
    ]
    return tries


def _sequence(photos: Sequence[Photo]) -> tuple[tuple[str, str], ...]:
    count = len(photos)
    chosen = set()
    for first in range(count):
        steps = {*range(1, OVERLAP + 1), *(2**power for power in range(3, 12))}
        chosen |= {(first, first + step) for step in steps if first + step < count}
        if first % RING_STEP == 0:
            chosen |= {(first, second) for second in range(first + RING_STEP, count, RING_STEP)}
    return tuple((photos[a].name, photos[b].name) for a, b in sorted(chosen))


def _numbered(on_progress: Progress, number: int) -> Progress:
    return lambda stage, done, total: on_progress(f"try {number}: {stage}", done, total)


def _cached(job: Job, on_progress: Progress) -> _Result:
    """Runs a job unless it is done; one that was interrupted resumes at its photo or pair."""
    folder = Path(job.folder)
    told = json.dumps(to_dict(job))
    try:
        same = (folder / JOB).read_text(encoding="utf-8") == told
    except OSError:
        same = False
    if not same:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        replace_file(folder / JOB, told.encode())
    if not (folder / RESULT).exists():
        run(folder, on_progress)
    return from_dict(_Result, read_json(folder / RESULT))
