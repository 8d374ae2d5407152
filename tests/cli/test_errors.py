"""Wrong input of any kind: one clear line on stderr, exit code 2, nothing on disk."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from mobile_nelf.checkpoints import save_checkpoint
from mobile_nelf.scenes.readers import Reader
from tests.helpers.students import random_checkpoint


def refused(result, *parts: str, code: int = 2) -> None:
    """Asserts that a run said one line about its input, and nothing else."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mnelf: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.endswith("\n")
    for part in parts:
        assert part in result.stderr


@pytest.fixture
def clean(tmp_path):
    """Fails the test if the run leaves anything behind that was not there before it."""
    yield tmp_path
    left = [path.name for path in tmp_path.iterdir() if not path.name.startswith("input")]
    assert left == []


#: Command lines that read a checkpoint, without their other arguments.
READERS = (
    ("bundle", "{}", "--target", "onnx"),
    ("check", "{}"),
    ("eval", "{}", "{scene}"),
    ("render", "{}"),
    ("inspect", "{}"),
)


def _with(line, checkpoint, scene=""):
    return [part.format(checkpoint, scene=scene) for part in line]


@pytest.mark.parametrize("line", READERS, ids=lambda line: line[0])
def test_a_missing_checkpoint(mnelf, clean, scene, line):
    refused(mnelf(*_with(line, "nowhere.pt", scene)), "nowhere.pt: no such file, expected a")


@pytest.mark.parametrize("line", READERS[:-1], ids=lambda line: line[0])
def test_a_directory_instead_of_a_checkpoint(mnelf, clean, scene, line):
    (clean / "input").mkdir()
    refused(mnelf(*_with(line, "input", scene)), "input: is a directory, expected a checkpoint")


@pytest.mark.parametrize("line", READERS, ids=lambda line: line[0])
@pytest.mark.parametrize("name", ["input.png", "input.pt"])
def test_a_picture_instead_of_a_checkpoint(mnelf, clean, scene, line, name):
    shutil.copy(scene / "train" / "r_0.png", clean / name)
    refused(mnelf(*_with(line, name, scene)), f"{name}: is a PNG picture", "expected a checkpoint")


@pytest.mark.parametrize("line", READERS, ids=lambda line: line[0])
def test_an_empty_file(mnelf, clean, scene, line):
    (clean / "input.pt").touch()
    refused(mnelf(*_with(line, "input.pt", scene)), "input.pt: is empty")


@pytest.mark.parametrize("line", READERS, ids=lambda line: line[0])
def test_code_in_a_checkpoint_is_named_and_not_run(mnelf, clean, scene, line):
    class Hostile:
        def __reduce__(self):
            import os

            return os.system, ("touch owned",)

    torch.save({"network_fn": Hostile()}, clean / "input.pt")
    refused(mnelf(*_with(line, "input.pt", scene)), "system, which no trained network needs")


def test_an_official_file_without_a_lens_asks_for_it(mnelf, clean, checkpoint):
    torch.save({"network_fn_state_dict": checkpoint.weights}, clean / "input.tar")
    refused(mnelf("inspect", "input.tar"), "no intrinsics.json", "--camera W,H,FOCAL,NEAR,FAR")
    result = mnelf("inspect", "input.tar", "--camera", "2,2,2.8,2,6,4", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["orbit"]["radius"] == [4.0, 4.0]


def test_tensors_saved_on_a_gpu_load_without_one(mnelf, clean, checkpoint, monkeypatch):
    """torch.save writes the device of each storage into the pickle."""
    # Takes the place of `location_tag`, which says "cuda:0" for a tensor on a GPU.
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    torch.save({"network_fn_state_dict": checkpoint.weights}, clean / "input.tar")
    monkeypatch.undo()
    monkeypatch.chdir(clean)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(clean / "input.tar", weights_only=True)
    result = mnelf("inspect", "input.tar", "--camera", "2,2,2.8,2,6,4", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kind"] == "checkpoint"


@pytest.mark.parametrize(
    "value", ["1,2,3", "a,b,c,d,e", "2.5,2,2.8,2,6", "2,2,nan,2,6", "0,2,1,2,6"]
)
def test_a_camera_that_is_none(mnelf, clean, student, value):
    refused(mnelf("inspect", student, "--camera", value), "--camera", value)


def test_a_camera_for_a_checkpoint_that_has_one(mnelf, clean, student):
    result = mnelf("bundle", student, "--target", "onnx", "--camera", "2,2,2.8,2,6")
    refused(result, "has its own camera")


@pytest.mark.parametrize("command", ["bundle", "check"])
def test_an_unknown_target(mnelf, clean, student, command):
    refused(mnelf(command, student, "--target", "android"), "unknown target 'android'", "lens")


@pytest.mark.parametrize("option", ["--layout", "--activation"])
def test_an_unknown_layout_or_activation(mnelf, clean, student, option):
    result = mnelf("bundle", student, "--target", "onnx", option, "tiles")
    refused(result, option, "'tiles' is not one of", "`mnelf bundle -h`")


def test_a_name_that_no_project_can_have(mnelf, clean, student):
    result = mnelf("bundle", student, "--target", "lens", "--name", "../a b")
    refused(result, "name '../a b'", "choose another name")


def test_an_existing_bundle(mnelf, tmp_path, student):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "cat.txt").write_text("cat")
    refused(mnelf("bundle", student, "--target", "onnx", "-o", "b"), "b: exists already", "--force")
    result = mnelf("bundle", student, "--target", "onnx", "-o", "b", "--force")
    refused(result, "is not a bundle, so force does not replace it (--force)")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (tmp_path / "b" / "cat.txt").read_text() == "cat"


def test_the_options_of_the_arguments_that_an_error_names(mnelf, clean, student):
    (clean / "input").write_text("mine")
    result = mnelf("bundle", student, "--target", "onnx", "-o", "input")
    assert result.stderr == (
        "mnelf: input: exists already; choose another output or set force (--output, --force)\n"
    )
    result = mnelf("inspect", student, "--trained-activation", "relu")
    refused(result, "has its own trained_activation; leave it out (--trained-activation)")


def test_an_output_below_a_file(mnelf, clean, student, scene):
    """Root may write into read-only folders, but nobody into a file or into /proc."""
    (clean / "input").write_text("")
    refused(mnelf("bundle", student, "--target", "onnx", "-o", "input/b"), "input")
    refused(mnelf("render", student, "-o", "input/a.png"), "input/a.png: cannot be written")
    refused(mnelf("render", student, "-o", "input/a.gif"), "input/a.gif: cannot be written")
    for command in ("teacher", "student", "train"):
        refused(mnelf(command, scene, "-o", "input/a.pt"), "input: cannot be written")


def test_an_output_in_a_read_only_file_system(mnelf, clean, student, scene):
    refused(mnelf("bundle", student, "--target", "onnx", "-o", "/proc/b"), "/proc/b")
    refused(mnelf("render", student, "-o", "/proc/a.png"), "/proc/a.png: cannot be written")
    refused(mnelf("student", scene, "-o", "/proc/a.pt"), "/proc: cannot be written")


def test_a_student_too_large_for_a_lens_is_not_bundled(mnelf, clean, tmp_path):
    large = random_checkpoint(width=1024, depth=8, sr_widths=(8,))
    save_checkpoint(large, tmp_path / "input.pt")
    refused(mnelf("bundle", "input.pt", "--target", "lens"), "10 MB", "use a smaller student")


def test_verify_without_a_bundle(mnelf, clean):
    refused(mnelf("verify", "nowhere"), "nowhere: no such folder, expected a bundle")
    (clean / "input").mkdir()
    refused(mnelf("verify", "input"), "manifest.json: no such file", code=1)


@pytest.mark.parametrize(
    "command",
    [
        ("eval", "{student}"),
        ("student", "-o", "a.pt"),
        ("teacher", "-o", "a.pt"),
        ("train", "-o", "a.pt"),
    ],
)
def test_a_folder_that_is_no_scene(mnelf, clean, student, command):
    line = [part.format(student=student) for part in command]
    refused(mnelf(*line, "nowhere"), "nowhere: no such folder, expected a scene")
    (clean / "input").mkdir()
    refused(mnelf(*line, "input"), "transforms_train.json")


def test_an_unknown_preset(mnelf, clean, scene):
    refused(mnelf("student", scene, "-o", "a.pt", "--preset", "huge"), "'huge' is not one of")


def test_no_steps(mnelf, clean, scene):
    for command in ("teacher", "student", "train"):
        refused(mnelf(command, scene, "-o", "a.pt", "--steps", "0"), "--steps")


def test_a_student_where_a_teacher_is_needed(mnelf, clean, scene, student):
    refused(mnelf("distill", student, scene, "-o", "a", "--views", "1"), "is not a teacher")
    refused(mnelf("export", student, "-o", "a.glb"), "is not a teacher")
    refused(mnelf("student", scene, "-o", "a.pt", "--teacher", student), "is not a teacher")


def test_options_of_a_student_that_contradict_each_other(mnelf, clean, scene, student):
    line = ("student", scene, "-o", "a.pt")
    refused(
        mnelf(*line, "--teacher", "t.pt", "--views", "v"), "exclude each other (--teacher, --views)"
    )
    refused(mnelf(*line, "--no-photo-stage"), "without a teacher or views", "(--teacher, --views)")
    refused(mnelf(*line, "--train-only", "tail"), "needs a student to start from", "(--initial)")
    refused(mnelf(*line, "--views", scene), "blob: is not a pseudo set")
    refused(mnelf(*line, "--learning-rate", "0"), "--learning-rate")
    refused(mnelf(*line, "--prune-to", "50"), "from 0.15 to below 1, found 50", "(--prune-to)")
    refused(
        mnelf(*line, "--initial", student, "--prune-to", "0.5"), "without BatchNorm", "(--prune-to)"
    )
    refused(mnelf(*line, "--initial", student, "--alpha"), "has no opacity", "(--initial, --alpha)")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(mnelf, clean, scene):
    for command in ("teacher", "student", "train"):
        result = mnelf(command, scene, "-o", "a.pt", "--device", "cuda")
        refused(result, "no CUDA device is available; choose device cpu", "(--device)")
    result = mnelf("teacher", scene, "-o", "a.pt", "--backend", "tinycudann")
    refused(result, "computes on an NVIDIA GPU only", "(--backend, --device)")


def test_an_existing_student_or_picture(mnelf, tmp_path, scene, student):
    for name in ("a.pt", "a.gif", "a.png"):
        (tmp_path / name).write_text("mine")
    for command in ("teacher", "student", "train"):
        refused(mnelf(command, scene, "-o", "a.pt"), "a.pt: exists already", "--force")
    refused(mnelf("render", student, "-o", "a.gif"), "a.gif: exists already", "--force")
    refused(mnelf("render", student, "-o", "a.png"), "a.png: exists already", "--force")
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine"}
    assert len(list(tmp_path.iterdir())) == 3


def test_a_state_that_is_not_of_this_run(mnelf, tmp_path, scene):
    state = tmp_path / "a.pt.run" / "train.state"
    state.parent.mkdir()
    state.write_text("mine")
    refused(mnelf("student", scene, "-o", "a.pt", "--preset", "tiny"), "train.state", "delete it")
    assert state.read_text() == "mine"


def test_pictures_that_cannot_be_rendered(mnelf, clean, student):
    refused(mnelf("render", student, "-o", "a.webm"), "unknown ending '.webm'", ".gif, .mp4")
    refused(mnelf("render", student, "-o", "a.gif", "--azimuth", "3"), "a still is a .png file")
    refused(
        mnelf("render", student, "-o", "a.png", "--frames", "3"),
        "frames are for a turn",
        "(--frames)",
    )
    refused(mnelf("render", student, "--frames", "0"), "frames must be positive")
    refused(
        mnelf("render", student, "--elevation", "-40"), "elevation -40 lies outside of 10 to 80"
    )
    refused(mnelf("render", student, "--radius", "nan"), "radius nan lies outside")


def test_eval_of_another_scene(mnelf, clean, scene):
    other = random_checkpoint(sr_widths=(8, 8, 8), ray_width=3, ray_height=2)
    save_checkpoint(other, clean / "input.pt")
    refused(mnelf("eval", "input.pt", scene), "test images are 16×16, the student renders 24×16")
    longer = random_checkpoint(sr_widths=(8, 8, 8), ray_width=2, ray_height=2)
    save_checkpoint(longer, clean / "input2.pt")
    refused(mnelf("eval", "input2.pt", scene), "focal length is 21.9 pixels, the student's 22.4")


def _onnx_model() -> onnx.ModelProto:
    image = [1, 3, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, image)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def test_onnx_where_a_checkpoint_is_needed_says_what_takes_it(mnelf, clean):
    onnx.save(_onnx_model(), clean / "input.onnx")
    refused(mnelf("bundle", "input.onnx", "--target", "lens"), "`mnelf check` takes ONNX files")


def test_options_that_an_onnx_file_has_no_use_for(mnelf, clean):
    onnx.save(_onnx_model(), clean / "input.onnx")
    refused(mnelf("check", "input.onnx", "--layout", "rays"), "is checked as it is")


def test_a_truncated_onnx_file(mnelf, clean):
    (clean / "input.onnx").write_bytes(_onnx_model().SerializeToString()[:-9])
    refused(mnelf("check", "input.onnx"), "input.onnx: is truncated or not an ONNX model")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("--nonsense",), "No such option '--nonsense'"),
        (("inspect", "--nonsense", "x"), "No such option '--nonsense'"),
        (("inspect",), "Missing argument 'CHECKPOINT_OR_SCENE'"),
        (("bundle", "x.pt"), "Missing option '--target'"),
        (("student", "x"), "Missing option '-o' / '--output'"),
        (("inspect", "a", "b"), "unexpected extra argument (b)"),
    ],
)
def test_wrong_usage_names_the_help(mnelf, clean, line, text):
    refused(mnelf(*line), text, "-h`")


def test_json_does_not_change_an_error(mnelf, clean):
    plain, machine = mnelf("inspect", "x.pt"), mnelf("inspect", "x.pt", "--json")
    refused(machine, "x.pt: no such file")
    assert machine.stderr == plain.stderr


@pytest.mark.parametrize("line", [("--debug", "inspect", "x.pt"), ("inspect", "x.pt", "--debug")])
def test_debug_adds_the_traceback(mnelf, clean, line):
    result = mnelf(*line)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("mnelf: x.pt: no such file, expected a checkpoint\n")


def test_an_interruption_is_one_line(mnelf, clean, student, monkeypatch):
    def interrupted(path: Path, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mobile_nelf.summary.load_checkpoint", interrupted)
    result = mnelf("inspect", student)
    assert result.exit_code == 130
    assert result.stdout == ""
    assert result.stderr.strip() == "mnelf: interrupted"


def test_a_full_disk_is_one_line_and_leaves_nothing(mnelf, clean, student, monkeypatch):
    def full(self, *arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("PIL.Image.Image.save", full)
    refused(mnelf("render", student, "-o", "a.png"), "a.png: cannot be written (No space left")
    refused(mnelf("render", student, "-o", "a.gif"), "a.gif: cannot be written (No space left")
    refused(mnelf("render", student, "-o", "frames"), "frames: cannot be written (No space left")


def test_an_error_of_the_system_is_one_line(mnelf, clean, scene, monkeypatch):
    def full(path: Path, *rest: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("mobile_nelf.scenes.READERS", (Reader("", Path.exists, full),))
    refused(mnelf("student", scene, "-o", "a.pt"), "blob: No space left on device")


def test_a_name_that_no_file_system_takes(mnelf, clean):
    refused(mnelf("inspect", "n" * 300), "n" * 300)


def test_a_missing_extra_is_named(mnelf, clean, student, scene, monkeypatch):
    for module in ("torchmetrics.functional.image", "imageio_ffmpeg", "onnx", "onnxsim"):
        monkeypatch.setitem(sys.modules, module, None)
    for line in (
        ("eval", student, scene),
        ("student", scene, "-o", "a.pt"),
        ("teacher", scene, "-o", "a.pt"),
        ("train", scene, "-o", "a.pt"),
        ("render", student, "-o", "a.mp4"),
    ):
        refused(mnelf(*line), 'pip install "mobile-nelf[train]"')
    refused(mnelf("bundle", student, "--target", "onnx"), 'pip install "mobile-nelf[lens]"')
