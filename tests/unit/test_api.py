"""The public API: what is there, what it takes, and what it shows of itself."""

from __future__ import annotations

import collections.abc
import dataclasses
import subprocess
import sys
import typing
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mobile_nelf as mn
from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.errors import ConfigError, InputError, SceneError
from mobile_nelf.paths import as_path
from mobile_nelf.scenes import View
from mobile_nelf.teachers.teacher import Rendering
from mobile_nelf.text import text_fields, text_table
from mobile_nelf.training.plan import StudentChoices, plan_scene
from tests.helpers import ROOT
from tests.helpers.sphere import sphere_scene
from tests.helpers.students import random_checkpoint

FUNCTIONS = (
    *("read_scene", "train", "compress", "render", "evaluate", "bundle"),
    *("verify", "check", "compare", "inspect", "load", "export_teacher"),
)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("student") / "student.pt"
    save_checkpoint(random_checkpoint(), path)
    return path


def test_dir_shows_the_public_names_alone():
    assert dir(mn) == sorted(mn.__all__)
    assert set(FUNCTIONS) < set(mn.__all__)
    assert all(getattr(mn, name) is not None for name in mn.__all__)
    with pytest.raises(AttributeError, match="no attribute 'prune'"):
        mn.prune  # noqa: B018


def test_type_checkers_see_what_is_loaded_late(tmp_path: Path):
    """The table and the imports for type checkers are two lists, which mypy compares."""
    names = "\n".join(f"reveal_type(mn.{name})" for name in mn.__all__)
    script = tmp_path / "names.py"
    script.write_text(f"import mobile_nelf as mn\n{names}\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    revealed = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(mn.__all__)
    assert not [line for line in revealed if 'is "Any"' in line]


def test_importing_it_is_light():
    code = "import sys, mobile_nelf; print(sorted({n.partition('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "PIL", "click", "rich"} & set(eval(done.stdout))


@pytest.mark.parametrize("kind", [str, Path])
def test_paths_are_text_or_path_objects(kind, student: Path, tmp_path: Path):
    folder = sphere_scene(tmp_path / "scene").path
    trained = mn.load(kind(student))
    trained.save(kind(tmp_path / "again.pt"))
    assert mn.load(kind(tmp_path / "again.pt")).weights_sha256() == trained.weights_sha256()
    assert mn.read_scene(kind(folder)).path == folder
    assert mn.inspect(kind(folder)).train == 8
    assert mn.compare(kind(student), kind(tmp_path / "again.pt"))[1].name.endswith("again.pt")
    assert mn.render(kind(student), kind(tmp_path / "a.png")).frames == 1
    assert mn.check(kind(student), target="onnx").passed
    made = mn.bundle(kind(student), kind(tmp_path / "bundle"), target="onnx")
    assert mn.verify(kind(made.path)).passed


def test_home_is_the_home_folder(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("~/mic.pt") == tmp_path / "mic.pt"
    assert as_path("a/~b") == Path("a/~b")
    with pytest.raises(SceneError, match="no such folder"):
        mn.read_scene("~/mic")
    with pytest.raises(InputError, match="no such home folder"):
        as_path("~nobody-of-this-name/mic")
    with pytest.raises(TypeError):
        mn.load(3)  # type: ignore[arg-type]


def test_a_checkpoint_renders_what_a_still_holds(student: Path, tmp_path: Path):
    trained = mn.load(student)
    frame = trained.render(azimuth=30, elevation=20)
    size = (trained.student.image_height, trained.student.image_width)
    assert (frame.shape, frame.dtype) == ((*size, 3), np.uint8)
    mn.render(trained, tmp_path / "a.png", azimuth=30, elevation=20)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), frame)
    with pytest.raises(InputError, match="elevation 89 lies outside"):
        trained.render(elevation=89)
    turn = mn.render(trained, tmp_path / "a.gif", frames=3)
    assert (turn.frames, turn.width, turn.height) == (3, size[1], size[0])


def test_options_of_a_target_are_keywords(student: Path, tmp_path: Path):
    made = mn.bundle(student, tmp_path / "a", target="onnx", layout="rays")
    assert made.manifest.contract.layout == "rays"
    with pytest.raises(InputError, match="has no option speed; it has layout, activation"):
        mn.bundle(student, tmp_path / "b", target="onnx", speed=3)
    with pytest.raises(ConfigError, match=r"layout: expected one of .*, found 'tiles'"):
        mn.check(student, target="onnx", layout="tiles")
    with pytest.raises(InputError, match="has no option weights"):
        mn.bundle(student, tmp_path / "b", target="onnx", weights=["fp16"])
    with pytest.raises(InputError, match="unknown target 'android'"):
        mn.bundle(student, tmp_path / "b", target="android")


def test_results_show_themselves(student: Path, tmp_path: Path):
    scene = sphere_scene(tmp_path / "scene")
    trained = mn.load(student)
    view = scene.train[0]
    shown = {
        trained: "Checkpoint(D6-SR3 of 56×48, ",
        scene: "Scene(scene, 8 training and 2 test views of 12×12, ",
        view: "View(r_0.png, 12×12)",
        view.camera: "Camera(12×12, focal length ",
    }
    for value, text in shown.items():
        assert repr(value).startswith(text)
        assert "\n" not in repr(value)
        assert len(repr(value)) < 120
    table = repr(mn.compare(student)).splitlines()
    assert table[0].split()[:2] == ["model", "target"]
    assert table[1].startswith(str(student))
    assert "orbit" in repr(mn.inspect(scene.path))
    assert max(map(len, repr(mn.inspect(student)).splitlines())) < 350
    assert repr(mn.check(student, target="onnx")).startswith("CheckResult(target onnx takes D6")


def test_text_in_columns():
    rows = [("all", "12", "3.50"), ("every_eighth", "2", "31.00")]
    assert text_table(("subset", "views", "dB"), rows, right=2).splitlines() == [
        "subset        views     dB",
        "all              12   3.50",
        "every_eighth      2  31.00",
    ]
    assert text_table(("subset",), []) == "subset"
    assert text_fields({"a": "1", "long": "2", "none": ""}) == "a     1\nlong  2"
    assert text_fields({}) == ""


def _holds_arrays(cls: type, seen: tuple[type, ...] = ()) -> bool:
    """Whether a field of a dataclass is an array or tensor, or a dataclass that holds one."""
    try:
        hints = typing.get_type_hints(cls)
    except NameError:  # of a type that only the type checker imports
        return False
    waiting, found = list(hints.values()), []
    while waiting:
        hint = waiting.pop()
        origin = typing.get_origin(hint)
        found.append(origin or hint)
        if origin is not collections.abc.Callable:  # holds nothing of what it takes and returns
            waiting += typing.get_args(hint)
    return any(
        kind in (np.ndarray, torch.Tensor)
        or (
            dataclasses.is_dataclass(kind)
            and kind not in seen
            and _holds_arrays(kind, (*seen, cls))
        )
        for kind in found
    )


def test_nothing_compares_tensors_by_equality():
    """Tensors have no single truth value, so `==` of what holds them would raise."""
    checked, compared = set(), set()
    for top, package in ((ROOT, "mobile_nelf"), (ROOT / "exporters", "mobile_nelf_exporters")):
        for path in sorted((top / package).rglob("*.py")):
            name = ".".join(path.relative_to(top).with_suffix("").parts)
            for cls in vars(import_module(name.removesuffix(".__init__"))).values():
                if isinstance(cls, type) and dataclasses.is_dataclass(cls) and _holds_arrays(cls):
                    checked.add(cls)
                    if cls.__eq__ is not object.__eq__:
                        compared.add(cls)
    assert compared == set()
    assert {mn.Checkpoint, mn.Scene, mn.TrainedScene, View, Rendering} <= checked


def test_equality_of_checkpoints_is_identity(student: Path):
    one, other = mn.load(student), mn.load(student)
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_a_teacher_is_judged_by_its_file_and_reads_it_once(tmp_path: Path, monkeypatch):
    from mobile_nelf.teachers.config import TeacherConfig
    from mobile_nelf.training.teacher.make import make_teacher

    scene = sphere_scene(tmp_path / "scene")
    make_teacher(scene, TeacherConfig(steps=2), tmp_path / "teacher.pt", device="cpu")
    read = []
    opener = import_module("mobile_nelf.checkpoints")
    whole = opener.read_file
    monkeypatch.setattr(opener, "read_file", lambda path: read.append(path) or whole(path))
    judged = mn.evaluate(str(tmp_path / "teacher.pt"), str(scene.path), device="cpu")
    assert read == [tmp_path / "teacher.pt"]
    assert judged.subsets["all"].views == 2
    columns = repr(judged).splitlines()[1].split()
    assert columns == ["subset", "views", "PSNR", "dB", "object", "dB", "SSIM", "FLIP"]
    with pytest.raises(InputError, match="is a teacher of mobile-nelf and has its own") as caught:
        mn.evaluate(tmp_path / "teacher.pt", scene, trained_activation="relu")
    assert caught.value.arguments == ("trained_activation",)


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        ({"preset": "huge"}, "unknown preset 'huge'"),
        ({"loss": "l1"}, "unknown loss 'l1'"),
        ({"steps": 0}, "steps must be positive"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"train_only": "tail"}, "needs a student to start from"),
        ({"seed": -1}, "seed must not be negative"),
    ],
)
def test_choices_that_cannot_be_used(tmp_path: Path, choices, text):
    scene = sphere_scene(tmp_path / "scene")
    with pytest.raises(InputError, match=text):
        plan_scene(scene, StudentChoices(**choices))
    with pytest.raises(InputError, match=text):
        mn.train(scene, tmp_path / "a.pt", **choices)
    assert not (tmp_path / "a.pt.run").exists()


def test_unknown_devices_are_refused(tmp_path: Path):
    scene = sphere_scene(tmp_path / "scene")
    with pytest.raises(InputError, match="unknown device 'gpu', expected one of auto, cpu, cuda"):
        mn.train(scene, tmp_path / "a.pt", device="gpu")  # type: ignore[arg-type]


def test_the_learning_rate_takes_the_step_of_the_matrices_along(tmp_path: Path):
    scene = sphere_scene(tmp_path / "scene")
    own = plan_scene(scene, StudentChoices("tiny")).student.fit
    half = plan_scene(scene, StudentChoices("tiny", learning_rate=own.learning_rate / 2))
    assert half.student.fit.matrix_step == pytest.approx(own.matrix_step / 2)
    assert half.student.photo_stage == plan_scene(scene, StudentChoices("tiny")).student.photo_stage


def test_training_under_torchrun_is_for_the_command_line(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="under torchrun use the command `mnelf train`"):
        mn.train(tmp_path, tmp_path / "a.pt")
