"""`mnelf preview`, and `mnelf verify` of lenses, with Node.js and without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image, ImageSequence

from mobile_nelf.bundles import create_bundle
from mobile_nelf.checkpoints import Checkpoint
from mobile_nelf.export.runtime import FILM_FPS
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

FRAMES = 4
SCREEN = "36x64"


@pytest.fixture(scope="session")
def light_field() -> Checkpoint:
    """Enough rays for a lens in the room."""
    return random_checkpoint(sr_widths=(8,), ray_width=8, ray_height=8)


@pytest.fixture(scope="session")
def bundles(light_field, tmp_path_factory) -> Path:
    """A folder with a bundle for each target and experience."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, target, options in (
        ("orbit", "lens", {"experience": "orbit"}),
        ("world", "lens", {"experience": "world"}),
        ("onnx", "onnx", {}),
    ):
        create_bundle(light_field, target=target, output=folder / name, options=options)
    return folder


@pytest.fixture
def without_node(monkeypatch, tmp_path):
    """A machine on which no program is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))


def _film(mnelf, bundle: Path, *options: object) -> dict:
    done = mnelf("preview", bundle, "--frames", FRAMES, "--screen", SCREEN, "--json", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@needs_node
@pytest.mark.parametrize("experience", ["orbit", "world"])
def test_a_lens_is_filmed_in_use_on_the_screen_asked_for(experience, bundles, mnelf):
    told = _film(mnelf, bundles / experience, "--output", "film")
    assert told == {
        "path": "film",
        "frames": FRAMES,
        "runtime": "the lens in Node.js",
        "interactive": True,
    }
    pictures = [np.asarray(Image.open(path)) for path in sorted(Path("film").iterdir())]
    assert [picture.shape for picture in pictures] == [(64, 36, 3)] * FRAMES
    assert any((picture != pictures[0]).any() for picture in pictures), "nothing moves"


@needs_node
def test_films_run_at_the_pace_of_the_experience(bundles, mnelf):
    assert _film(mnelf, bundles / "orbit")["path"] == "orbit-preview.gif"
    with Image.open("orbit-preview.gif") as film:
        assert film.size == (36, 64)
        # Frames alike are one that lasts longer; times are in hundredths of a second.
        lasts = sum(frame.info["duration"] for frame in ImageSequence.Iterator(film))
    assert lasts == pytest.approx(1000 * FRAMES / FILM_FPS, abs=10 * FRAMES)
    _film(mnelf, bundles / "orbit", "--output", "film.mp4")
    assert iio.immeta("film.mp4")["fps"] == FILM_FPS


def test_an_onnx_bundle_shows_a_turn(bundles, light_field, mnelf):
    told = _film(mnelf, bundles / "onnx", "--output", "film.gif")
    assert (told["runtime"], told["interactive"]) == ("ONNX Runtime", False)
    student = light_field.student
    with Image.open("film.gif") as film:
        assert film.size == (student.image_width, student.image_height)


def test_without_node_a_lens_shows_a_turn_and_says_so(bundles, mnelf, without_node):
    done = mnelf("preview", bundles / "orbit", "--frames", FRAMES, "--output", "film.gif")
    assert done.exit_code == 0, done.output
    assert "frames of a turn, rendered by ONNX Runtime" in done.output


@needs_node
def test_without_node_verify_names_what_it_did_not_repeat(bundles, mnelf, monkeypatch, tmp_path):
    with_node = json.loads(mnelf("verify", bundles / "orbit", "--json").stdout)
    assert with_node["not_repeated"] == []
    monkeypatch.setenv("PATH", str(tmp_path))
    done = mnelf("verify", bundles / "orbit")
    assert done.exit_code == 0, done.output
    assert "skipped here" in done.output
    assert "the lens in Node.js" in done.output
    assert "passed (some checks were skipped, see above)" in done.output
    (leg,) = json.loads(mnelf("verify", bundles / "orbit", "--json").stdout)["not_repeated"]
    assert "the lens in Node.js" in leg


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--screen", "wide"], "'wide', expected columns x rows such as 360x640"),
        (["--screen", "0x9"], "expected positive numbers"),
        (["--frames", 0], "expected positive numbers"),
        (["--output", "film.avi"], ".gif"),
    ],
)
def test_what_cannot_be_filmed_is_said(options, said, bundles, mnelf):
    done = mnelf("preview", bundles / "onnx", *options)
    assert done.exit_code != 0
    assert said in done.output
    assert "Traceback" not in done.output


def test_an_existing_film_stays_unless_forced(bundles, mnelf):
    Path("film.gif").write_bytes(b"mine")
    done = mnelf("preview", bundles / "onnx", "--output", "film.gif")
    assert done.exit_code != 0
    assert "--force" in done.output
    assert Path("film.gif").read_bytes() == b"mine"


def test_a_damaged_bundle_is_not_filmed(bundles, mnelf, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(bundles / "onnx", copy)
    (copy / "model.onnx").write_bytes(b"")
    done = mnelf("preview", copy)
    assert done.exit_code != 0
    assert "model.onnx" in done.output
    assert not Path("copy-preview.gif").exists()
