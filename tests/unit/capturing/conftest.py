"""One capture of synthetic photos, which many tests look at."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from mobile_nelf.capturing import run
from mobile_nelf.capturing.checks import find
from mobile_nelf.capturing.intake import Intake
from mobile_nelf.capturing.model import read_model
from mobile_nelf.capturing.run import INTAKE, PHOTOS, TRIES, capture
from mobile_nelf.capturing.structure import Matched, Structure
from mobile_nelf.errors import (
    CaptureError,
    SceneError,
)
from mobile_nelf.plain import from_dict
from mobile_nelf.runs import run_folder
from tests.helpers.phone import (
    PHOTO_COUNT,
    exif,
    photo,
    ring,
    save_turned,
)


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEG, PNG and HEIC of one phone, held in four ways, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for number, camera in enumerate(ring(PHOTO_COUNT)):
        pixels = photo(camera)
        if number == 3:
            # Turned by its container, and with a tag in EXIF that must not turn it once more.
            lying = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
            heic = pillow_heif.from_pillow(lying)
            heic.save(folder / "IMG_3.HEIC", quality=95, exif=exif(orientation=6).tobytes())
        elif number == 5:  # a messenger renamed it
            heic = pillow_heif.from_pillow(Image.fromarray(pixels))
            heic.save(folder / "IMG_5.heic", quality=95, exif=exif().tobytes())
            (folder / "IMG_5.heic").rename(folder / "IMG_5.jpg")
        else:
            save_turned(pixels, folder / f"IMG_{number}.jpg", (1, 6, 3, 8)[number % 4])
    (folder / "IMG_99.jpg").write_bytes(b"<html>not found</html>")
    return folder


@pytest.fixture(scope="session")
def captured(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A capture that was interrupted when poses were about to be found, and then made no scene."""
    output = tmp_path_factory.mktemp("captured") / "scene"
    stages: list[list[str]] = [[], [], []]
    kept: dict[str, object] = {}

    def interrupting(stage: str, done: int, total: int) -> None:
        stages[0].append(stage)
        if stage == "poses":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        capture(photos, output, threads=1, on_progress=interrupting)
    left = sorted(path.name for path in output.parent.iterdir())

    def refused(folder: Path) -> None:
        raise SceneError(f"{folder}: the training cameras span no orbit")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "read_scene", refused)
        with pytest.raises(CaptureError) as no_scene:
            capture(
                photos, output, threads=1, on_progress=lambda stage, *_: stages[1].append(stage)
            )
    report = json.loads((output / "capture.json").read_text())
    page = (output / "capture.html").read_text()

    def keeping(stage: str, done: int, total: int) -> None:
        stages[2].append(stage)
        if stage == "images" and not kept:
            work = run_folder(output)
            intake = from_dict(Intake, json.loads((work / INTAKE).read_text())["intake"])
            first = work / TRIES / "first"
            kept.update(
                intake=intake,
                pixels={
                    p.name: np.asarray(Image.open(work / PHOTOS / p.name)) for p in intake.photos
                },
                model=read_model(first / "model"),
                matches=json.loads((first / "result.json").read_text()),
                colmap=shutil.copytree(first / "model", output.parent.parent / "model-copy"),
            )

    result = capture(photos, output, threads=1, on_progress=keeping, force=True)
    without = SimpleNamespace(message=str(no_scene.value), report=report, page=page)
    return SimpleNamespace(
        result=result, path=output, left=left, stages=stages, without=without, **kept
    )


@pytest.fixture
def found(captured, tmp_path):
    """Returns the checks' names for a capture that was changed."""
    for name, pixels in captured.pixels.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    photos = {name: Matched(**values) for name, values in captured.matches["photos"].items()}
    names = tuple(captured.model.photos)
    pairs = tuple((a, b) for place, a in enumerate(names) for b in names[place + 1 :])
    whole = Structure(tmp_path, names, (), photos, captured.result.tries, pairs)

    def checks(
        intake=captured.intake,
        structure=whole,
        model=captured.model,
        scene=None,
        overlaps=None,
        turntable=False,
    ):
        scene = scene or captured.result.scene
        found = find(intake, tmp_path, structure, model, scene, overlaps, turntable)
        return {f.check: f for f in found}

    return SimpleNamespace(checks=checks, structure=whole, folder=tmp_path)
