"""Reads damaged files with every reader, in a process of its own with little memory.

    python -m tests.helpers.fuzz SAMPLES FIRST_SEED COUNT

SAMPLES holds a folder for each of READERS. Each line of the output is a mutation as JSON: its seed,
reader, damage and what came of it; the last line says how much memory was taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import onnx
import torch

from mobile_nelf.bundles.manifest import FileRecord, Manifest
from mobile_nelf.bundles.verify import verify_bundle
from mobile_nelf.capturing.given import posed_input
from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.devices import read_measurement
from mobile_nelf.errors import MnelfError
from mobile_nelf.plain import from_dict
from mobile_nelf.runs import load_state, taking_up
from mobile_nelf.scenes import read_scene
from mobile_nelf.summary import inspect_path
from mobile_nelf.surfaces.splat_files import read_splats
from mobile_nelf.teachers.files import load_teacher
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.views.pseudo_set import read_pseudo_set
from tests.helpers.hostile import mutate
from tests.helpers.memory import peak_bytes
from tests.helpers.students import random_checkpoint

__all__ = ["MEMORY_BYTES", "READERS", "STATE_RUN", "TINY", "learner", "reader_of"]

MEMORY_BYTES = 2 << 30
#: Of one mutation; verifying a bundle starts processes.
SECONDS = 600

TINY = {"depth": 4, "width": 4, "sr_widths": (4,), "ray_width": 4, "ray_height": 3}
STATE_RUN = {"student": "tiny"}


def learner() -> Learner:
    """A student in training, as small as one can be."""
    config = FitConfig(patches=1, patch_rays=2)
    ranks = Ranks(torch.device("cpu"))
    return Learner(random_checkpoint(**TINY).student, config, ranks)


def _read_state(folder: Path) -> None:
    path = folder / "fit.state"
    state = load_state(path, STATE_RUN, ("step", *learner().state()))
    if state is not None:
        with taking_up(path):
            learner().load(state)


def _read_scene(folder: Path) -> None:
    inspect_path(folder)
    scene = read_scene(folder)
    (*scene.train, *scene.test)[0].rgba()


def _verify(folder: Path) -> None:
    _forge(folder)
    verify_bundle(folder, run_scripts=True)


def _forge(folder: Path) -> None:
    """Makes hashes, digest and the contract inside a model fit, as a forger would."""
    path = folder / "manifest.json"
    try:
        manifest = from_dict(Manifest, json.loads(path.read_bytes()), "manifest")
    except (OSError, ValueError, RecursionError, MnelfError):
        return
    model_path = folder / "model.onnx"
    if model_path.is_file():
        with contextlib.suppress(Exception):
            model = onnx.load(model_path)
            carried = {entry.key: entry for entry in model.metadata_props}
            for key, text in manifest.contract.as_metadata().items():
                carried[key].value = text
            model_path.write_bytes(model.SerializeToString(deterministic=True))
    found = {name: folder / name for name in manifest.files if (folder / name).is_file()}
    records = {name: FileRecord.of(file.read_bytes()) for name, file in found.items()}
    path.write_bytes(replace(manifest, files={**manifest.files, **records}).to_bytes())


def _read_pseudo_set(folder: Path) -> None:
    for view in read_pseudo_set(folder)[:1]:
        view.rgba()


#: What reads the folder of each name.
READERS: dict[str, Callable[[Path], Any]] = {
    "native": lambda folder: inspect_path(folder / "student.pt"),
    "official": lambda folder: load_checkpoint(folder / "ckpt.tar"),
    "teacher": lambda folder: load_teacher(folder / "ball.teacher", torch.device("cpu")),
    "state": _read_state,
    "blender": _read_scene,
    "transforms": _read_scene,
    "llff": _read_scene,
    "colmap": _read_scene,
    "colmap_text": _read_scene,
    "pseudo_npy": _read_scene,
    "pseudo_set": _read_pseudo_set,
    "polycam": lambda folder: posed_input([folder]),
    "record3d": lambda folder: posed_input([folder / "walk.r3d"]),
    "splats": lambda folder: read_splats(folder / "splat.ply"),
    "spz": lambda folder: read_splats(folder / "splat.spz"),
    "device": lambda folder: read_measurement(folder / "result.json"),
    "onnx": _verify,
    "lens": _verify,
    "coreml": _verify,
}
#: Seconds each instead of milliseconds; these get fewer turns.
SLOW = {"lens": 3, "coreml": 5}


def reader_of(seed: int) -> str:
    """Which reader the mutation of a seed is for."""
    names = sorted(READERS)
    name = names[seed % len(names)]
    turn = seed // len(names)
    quick = [other for other in names if other not in SLOW]
    return quick[turn % len(quick)] if turn % SLOW.get(name, 1) else name


class _Hung(BaseException):
    """Time is over; not an `Exception`, which a reader might catch."""


def _hang(number: int, frame: FrameType | None) -> None:
    raise _Hung


def main(samples: Path, first: int, count: int) -> None:
    """Reads `count` damaged samples and prints what came of each."""
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGALRM, _hang)
    for seed in range(first, first + count):
        name = reader_of(seed)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / name
            shutil.copytree(samples / name, folder)
            damage = mutate(folder, seed)
            said = {"seed": seed, "reader": name, "damage": damage}
            print(json.dumps({**said, "outcome": "began"}), flush=True)
            signal.alarm(SECONDS)
            try:
                READERS[name](folder)
                outcome = "read"
            except MnelfError as error:
                outcome = "refused" if str(error).strip() else "refused without a word"
            except (_Hung, Exception):
                outcome = traceback.format_exc()
            finally:
                signal.alarm(0)
        print(json.dumps({**said, "outcome": outcome}), flush=True)
    children = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"peak_bytes": max(peak_bytes(), children)}), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
