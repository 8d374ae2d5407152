"""Teachers in files: what comes back, and what damaged and hostile files get to hear."""

from __future__ import annotations

import os
import pickle
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobile_nelf.cameras import Camera, Intrinsics, OrbitLimits, look_at
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.errors import CheckpointError, InputError, MissingExtraError, OutputError
from mobile_nelf.students import EncoderConfig, StudentConfig, build_student
from mobile_nelf.teachers.files import TrainedTeacher, load_teacher, save_teacher
from mobile_nelf.teachers.marching import CELLS
from mobile_nelf.teachers.spaces import BoxSpace
from tests.helpers.ball import SPACES
from tests.helpers.teachers import CONFIG, teacher_of

CPU = torch.device("cpu")
CAMERA = Camera(look_at((0.3, -4.0, 0.2), (0.0, 0.0, 0.1)), Intrinsics.centred(16, 12, 40.0))
METRICS = {"test_psnr_db": 31.25}
PROVENANCE = {"scene": "ball", "version": "0"}

#: A refusal takes milliseconds; seconds mean that numbers of the file were believed.
SECONDS = 2.0
#: Memory that a refusal may take. The grids that the files below claim are of gigabytes.
MEGABYTES = 200.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_teacher(TrainedTeacher(teacher_of(), METRICS, PROVENANCE), tmp_path / "ball.teacher")
    return tmp_path / "ball.teacher"


@pytest.mark.parametrize("kind", SPACES)
def test_a_teacher_comes_back_as_it_was(tmp_path: Path, kind: str) -> None:
    trained = TrainedTeacher(teacher_of(SPACES[kind]), METRICS, PROVENANCE)
    save_teacher(trained, tmp_path / "a.teacher")
    loaded = load_teacher(tmp_path / "a.teacher", CPU)
    assert loaded.teacher.config == CONFIG
    assert loaded.teacher.space == SPACES[kind]
    assert loaded.metrics == METRICS
    assert loaded.provenance == PROVENANCE
    assert loaded.sha256() == trained.sha256()
    before, after = trained.teacher.render(CAMERA), loaded.teacher.render(CAMERA)
    assert before.alpha.max() > 0.1
    for name in ("rgb", "alpha", "depth"):
        assert np.array_equal(getattr(before, name), getattr(after, name))


def test_a_true_size_comes_back(tmp_path: Path) -> None:
    save_teacher(TrainedTeacher(teacher_of(), metres_per_unit=0.05), tmp_path / "a.teacher")
    assert load_teacher(tmp_path / "a.teacher", CPU).metres_per_unit == 0.05
    save_teacher(TrainedTeacher(teacher_of(), metres_per_unit=-1.0), tmp_path / "a.teacher")
    assert refusal(tmp_path / "a.teacher") == "a unit of its world is -1 metres long"


def test_the_same_teacher_is_the_same_file(path: Path, tmp_path: Path) -> None:
    save_teacher(TrainedTeacher(teacher_of(), METRICS, PROVENANCE), tmp_path / "other name")
    assert (tmp_path / "other name").read_bytes() == path.read_bytes()


def test_the_hash_tells_teachers_apart() -> None:
    known = TrainedTeacher(teacher_of()).sha256()
    assert TrainedTeacher(teacher_of(), METRICS, PROVENANCE).sha256() == known
    for name in dict(teacher_of().field.state_dict()):
        changed = teacher_of()
        value = dict(changed.field.state_dict())[name]
        value.view(-1)[-1] += 2.0**-8
        assert TrainedTeacher(changed).sha256() != known, name
    emptied = teacher_of()
    emptied.grid.mask[-1] = ~emptied.grid.mask[-1]
    assert TrainedTeacher(emptied).sha256() != known
    box = SPACES["box"]
    assert isinstance(box, BoxSpace)
    moved = teacher_of()
    moved.space = replace(box, upper=(1.1, 1.2, 1.3000001))
    assert TrainedTeacher(moved).sha256() != known


def test_a_file_cannot_be_written_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="nowhere"):
        save_teacher(TrainedTeacher(teacher_of()), tmp_path / "nowhere" / "a.teacher")


# Files that are not teachers


@pytest.fixture(autouse=True)
def _quick_and_small() -> Iterator[None]:
    """No test here may take long, or much memory."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024  # kB on Linux
    assert time.process_time() - start < SECONDS
    assert grown < MEGABYTES


def refusal(path: Path) -> str:
    """The message of the refusal, without the name of the file that it begins with."""
    with pytest.raises(CheckpointError) as caught:
        load_teacher(path, CPU)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: no such file"):
        load_teacher(tmp_path / "gone", CPU)
    with pytest.raises(InputError, match="is a directory"):
        load_teacher(tmp_path, CPU)


def test_a_student_is_no_teacher(tmp_path: Path) -> None:
    config = StudentConfig(
        EncoderConfig(2.0, 6.0, samples=3, frequencies=2),
        depth=4, width=8, sr_widths=(4,), sr_blocks=1, ray_width=4, ray_height=4,
    )  # fmt: skip
    orbit = OrbitLimits((0, 0, 0), (0, 0, 1), (-180, 180), (10, 40), (4, 4))
    weights = build_student(config).state_dict()
    lens = Intrinsics.centred(8, 8, 10.0)
    save_checkpoint(Checkpoint(config, lens, orbit, weights), tmp_path / "student.pt")
    assert "is not a teacher" in refusal(tmp_path / "student.pt")


def test_foreign_files_are_no_teachers(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    assert "is a PNG picture" in refusal(tmp_path / "a.png")
    (tmp_path / "empty").write_bytes(b"")
    assert "is empty" in refusal(tmp_path / "empty")
    (tmp_path / "text").write_text("a teacher")
    assert "is a text file" in refusal(tmp_path / "text")
    torch.save([1, 2], tmp_path / "list")
    assert "is not a teacher" in refusal(tmp_path / "list")
    torch.save({"format": "other"}, tmp_path / "dict")
    assert "is not a teacher" in refusal(tmp_path / "dict")
    torch.save({"format": torch.ones(3)}, tmp_path / "tensor")
    assert "is not a teacher" in refusal(tmp_path / "tensor")


def test_truncated_files_are_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        refusal(path)


def test_a_flipped_bit_is_found_or_harmless(path: Path) -> None:
    whole = path.read_bytes()
    known = load_teacher(path, CPU).sha256()
    rng = np.random.default_rng(0)
    # Most of the file is weights and occupancy; the structure lies at its start and at its end.
    places = [*rng.integers(len(whole), size=40), *rng.integers(3000, size=40)]
    refused = 0
    for place in [*places, *(len(whole) - rng.integers(1, 1500, size=40))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = load_teacher(path, CPU)
        except CheckpointError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017
            refused += 1
        else:
            assert loaded.sha256() == known
    assert refused > 60


class Touch:
    """Leaves a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.marker}",)


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    content = torch.load(path, weights_only=True)
    change(content)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # pickle walks down nested lists, and mnelf must not
    torch.save(content, path)
    sys.setrecursionlimit(limit)
    return path


def test_code_in_a_file_is_not_run(path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "it_ran"
    pickle.loads(pickle.dumps(Touch(marker)))
    assert marker.exists(), "the attack works where code is run"
    marker.unlink()
    for place in ("config", "provenance", "anything"):
        copy = tmp_path / place
        copy.write_bytes(path.read_bytes())
        message = refusal(edited(copy, put(place, value=Touch(marker))))
        assert "asks for os.system" in message
    assert not marker.exists()


HUGE = 10**400
LONGER_THAN_PRINTABLE = 10**5000
NESTED: list[Any] = []
for _ in range(3000):
    NESTED = [NESTED]


def put(*keys: str, value: Any) -> Callable[[dict[str, Any]], object]:
    """A change of one value in the content."""

    def change(content: dict[str, Any]) -> None:
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def drop(key: str, *rest: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: drop(*rest)(content[key]) if rest else content.pop(key)


NO_FIT = "its table does not have the size that its config tells"
LARGE = "need at most 16 grids of 1024 cells and 64 channels"
INTEGER = "expected an integer up to 2⁵³"
#: What is changed in a good file, and what the refusal must say.
CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "newer version": (put("version", value=2), "another version of the format"),
    "no version": (drop("version"), "another version of the format"),
    "version is a text": (put("version", value="1"), "another version of the format"),
    "version is a tensor": (put("version", value=torch.ones(2)), "another version"),
    "version is true": (put("version", value=True), "another version of the format"),
    "no config": (drop("config"), "config: expected a mapping"),
    "unknown setting": (put("config", "hash_size", value=3), "unknown key 'hash_size'"),
    "unknown back-end": (put("config", "backend", value="jax"), "config.backend: expected one of"),
    "back-end is a list": (put("config", "backend", value=NESTED), "config"),
    "no channels": (put("config", "channels", value=0), "and a channel"),
    "other channels": (put("config", "channels", value=3), NO_FIT),
    "grid of 64 GB": (put("config", "resolutions", value=[2000]), LARGE),
    "grid of 4 GB": (put("config", "resolutions", value=[800]), NO_FIT),
    "grid of exabytes": (put("config", "resolutions", value=[10**6, 5]), LARGE),
    "grid beyond floats": (
        put("config", "resolutions", value=[HUGE]), INTEGER
    ),
    "endless grid": (
        put("config", "resolutions", value=[LONGER_THAN_PRINTABLE]), INTEGER
    ),
    "endless channels": (
        put("config", "channels", value=LONGER_THAN_PRINTABLE), INTEGER
    ),
    "less than no channels": (put("config", "channels", value=-LONGER_THAN_PRINTABLE), "config"),
    "table of no dimension": (
        put("field", "table", value=torch.tensor(1.0)), NO_FIT
    ),
    "hair": (
        put("space", "upper", value=[1e200, 1e200, 1.3]), NO_FIT
    ),
    "speck": (
        lambda content: content["space"].update(lower=[0.0] * 3, upper=[1e-200] * 3),
        NO_FIT,
    ),
    "channels by the terabyte": (put("config", "channels", value=10**12), LARGE),
    "300,000 grids": (put("config", "resolutions", value=[2] * 300_000), LARGE),
    "grid of one row": (put("config", "resolutions", value=[1]), "at least 2 cells"),
    "no grids": (put("config", "resolutions", value=[]), "at least 2 cells"),
    "no space": (drop("space"), "space: its kind must be one of box, contracted, ndc"),
    "unknown space": (put("space", "kind", value="sphere"), "space: its kind must be one of"),
    "kind is a list": (put("space", "kind", value=["box"]), "space: its kind must be one of"),
    "other space": (put("space", "kind", value="ndc"), "space: unknown key 'lower'"),
    "space without a corner": (drop("space", "upper"), "space: key 'upper' is missing"),
    "flat space": (put("space", "upper", value=[1.1, 1.2, -1.05]), "a space needs a volume"),
    "space inside out": (put("space", "upper", value=[-2.0, 1.2, 1.3]), "a space needs a volume"),
    "endless space": (put("space", "upper", value=[1.1, 1.2, np.inf]), "expected a finite number"),
    "no number": (put("space", "upper", value=[1.1, 1.2, np.nan]), "expected a finite number"),
    "needle": (put("space", "upper", value=[1e300, 1.2, 1.3]), NO_FIT),
    "metrics are not numbers": (put("metrics", "psnr", value="31"), "metrics.psnr: expected float"),
    "no metrics": (drop("metrics"), "metrics: expected a mapping"),
    "provenance is a number": (put("provenance", "scene", value=3), "provenance.scene: expected"),
    "endless provenance": (put("provenance", "scene", value=LONGER_THAN_PRINTABLE), "provenance"),
    "no field": (drop("field"), "has no field or no occupancy"),
    "field is a list": (put("field", value=[1]), "has no field or no occupancy"),
    "no table": (drop("field", "table"), NO_FIT),
    "table of another shape": (
        put("field", "table", value=torch.zeros(5, 2)), NO_FIT
    ),
    "table is a number": (put("field", "table", value=1.0), NO_FIT),
    "a layer is missing": (drop("field", "density_net.0.weight"), "do not fit its config"),
    "a layer too many": (put("field", "x.weight", value=torch.zeros(2)), "do not fit its config"),
    "a layer without a name": (
        lambda content: content["field"].update({5: torch.zeros(2)}), "do not fit its config"
    ),
    "a layer is a text": (put("field", "colour_net.0.bias", value="x"), "do not fit its config"),
    "a layer of another shape": (
        put("field", "colour_net.0.bias", value=torch.zeros(3)), "do not fit its config"
    ),
    "no occupancy": (drop("occupied"), "has no field or no occupancy"),
    "coarser occupancy": (
        put("occupied", value=torch.zeros(512, dtype=torch.uint8)), "has no field or no occupancy"
    ),
    "occupancy in numbers": (
        put("occupied", value=torch.zeros(CELLS**3 // 8)), "has no field or no occupancy"
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", CHANGES)
def test_what_is_wrong_in_a_file_is_said(path: Path, key: str) -> None:
    change, message = CHANGES[key]
    assert message in refusal(edited(path, change))


def test_the_unchanged_file_of_these_tests_is_good(path: Path) -> None:
    assert load_teacher(edited(path, lambda content: None), CPU).metrics == METRICS


def test_a_file_of_a_backend_that_is_not_here_names_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    with pytest.raises(MissingExtraError, match="tinycudann cannot be used"):
        load_teacher(edited(path, put("config", "backend", value="tinycudann")), CPU)
