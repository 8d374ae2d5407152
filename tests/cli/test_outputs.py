"""What an output may not be: an input, a link that leads nowhere, somebody's work."""

from __future__ import annotations

import json
import os
import shutil

import click
import pytest

from mobile_nelf.cli import COMMANDS, cli
from mobile_nelf.training import presets
from tests.helpers.devices import one_run, packaged_bundle, synthetic_result
from tests.helpers.kills import content, leftovers
from tests.helpers.sphere import PRESET

#: Command lines whose output is an input: `x` is a file and `s` a scene, and none is looked into.
SAME = (
    ("bundle", "x", "--target", "onnx", "-o", "x"),
    ("render", "x.gif", "-o", "x.gif"),
    ("render", "x.gif"),  # its default output
    ("render", "x.png", "-o", "./s/../x.png"),
    ("render", "x.png", "-o", "hard.png"),
    ("render", "x.png", "-o", "soft.png"),
    ("preview", "s", "-o", "s"),
    ("train", "s", "-o", "x.pt", "--initial", "x.pt"),
    ("train", "s/transforms_train.json", "-o", "s/transforms_train.json"),
    ("student", "s", "-o", "x.pt", "--initial", "x.pt"),
    ("student", "s", "-o", "x.pt", "--teacher", "x.pt"),
    ("student", "s", "-o", "x.pt", "--views", "x.pt"),
    ("teacher", "s/transforms_train.json", "-o", "s/transforms_train.json"),
    ("distill", "x.pt", "s", "--views", "1", "-o", "s"),
    ("distill", "x.pt", "s", "--views", "1", "-o", "x.pt"),
    ("export", "x.pt", "--to", "x.pt"),
    ("inspect", "s", "--picture", "s"),
    ("eval", "x.pt", "s", "--picture", "x.pt"),
    ("capture", "s/train", "-o", "s/train"),
)
#: Command lines whose output holds an input, or is one of the files in an input.
AROUND = (
    ("bundle", "in/x.pt", "--target", "onnx", "-o", "in"),
    ("render", "in/x.pt", "-o", "in"),
    ("preview", "in/s", "-o", "in"),
    ("distill", "in/x.pt", "s", "--views", "1", "-o", "in"),
    ("export", "in/x.pt", "-o", "in"),
    ("train", "s", "-o", "s/transforms_train.json"),
    ("teacher", "s", "-o", "s/train/r_0.png"),
    ("student", "s", "-o", "s/train/r_0.png"),
    ("inspect", "s", "--picture", "s/train/r_0.png"),
    ("preview", "s", "-o", "s/x.gif"),
    ("eval", "x.pt", "s", "--picture", "s/train/r_0.png"),
    ("capture", "s/train", "-o", "s"),
)
#: Command lines without their output, and how it ends.
WRITING = (
    (("bundle", "x", "--target", "onnx", "-o"), ""),
    (("compress", "x", "--keep", "0.5", "-o"), ".pt"),
    (("render", "x", "-o"), ".gif"),
    (("render", "x", "-o"), ".png"),
    (("preview", "s", "-o"), ".gif"),
    (("train", "s", "-o"), ".pt"),
    (("student", "s", "-o"), ".pt"),
    (("teacher", "s", "-o"), ".pt"),
    (("distill", "x", "s", "--views", "1", "-o"), ""),
    (("export", "x", "-o"), ".glb"),
    (("inspect", "s", "--picture"), ".png"),
    (("eval", "x.pt", "s", "--picture"), ".png"),
    (("capture", "s/train", "-o"), ""),
)


@pytest.fixture
def inputs(tmp_path, ball):
    """Files that no command can read, and a scene; all as before when a test is over."""
    for name in ("x", "x.gif", "x.png", "x.pt", "in/x.pt", "in/s/y"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"of great value")
    shutil.copytree(ball, tmp_path / "s")
    (tmp_path / "s" / "x.gif").write_bytes(b"a film")
    os.link(tmp_path / "x.png", tmp_path / "hard.png")
    (tmp_path / "soft.png").symlink_to("x.png")
    before = content(tmp_path)
    yield tmp_path
    assert content(tmp_path) == before
    assert leftovers(tmp_path) == []


def refused(result, *words):
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert any(word in result.stderr for word in words), result.stderr


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "force"])
@pytest.mark.parametrize("line", SAME, ids=" ".join)
def test_an_input_is_never_an_output(mnelf, inputs, line, force):
    refused(mnelf(*line, *force), "is an input of this command", "is a directory, expected a file")


@pytest.mark.parametrize("line", AROUND, ids=" ".join)
def test_what_holds_an_input_or_lies_in_one_is_never_replaced(mnelf, inputs, line):
    refused(mnelf(*line, "--force"), "which is an input of this command", "lies in the input")


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "force"])
@pytest.mark.parametrize(("line", "ending"), WRITING, ids=lambda part: " ".join(part))
def test_a_link_that_leads_nowhere_is_refused(mnelf, inputs, line, ending, force):
    link = inputs / f"link{ending}"
    link.symlink_to("nowhere")
    refused(mnelf(*line, link.name, *force), f"{link.name}: is a link to nowhere, which does not")
    link.unlink()


def test_these_are_all_commands_that_write():
    covered = {line[0] for line, _ in WRITING}
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        options = {option for parameter in command.params for option in parameter.opts}
        assert (name in covered) == bool({"--output", "--picture"} & options), name


def test_a_device_result_is_not_its_own_copy(mnelf, tmp_path):
    measured = packaged_bundle(tmp_path / "b")
    (tmp_path / "r.json").write_text(json.dumps(synthetic_result(measured, one_run(measured))))
    assert mnelf("bench", "import", "r.json", "b").exit_code == 0
    (stored,) = (tmp_path / "b" / "measurements").iterdir()
    refused(mnelf("bench", "import", stored, "b", "--force"), "is an input of this command")


def test_people_may_train_in_the_folder_of_their_photos(mnelf, ball, tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "PRESETS", {"tiny": PRESET})
    shutil.copytree(ball, tmp_path / "s")
    line = ("student", "s", "-o", "s/a.pt", "--preset", "tiny", "--device", "cpu")
    assert mnelf(*line).exit_code == 0
    assert mnelf(*line, "--force").exit_code == 0


@pytest.fixture
def bundle(mnelf, tmp_path, student):
    assert mnelf("bundle", student, "--target", "onnx", "-o", "b").exit_code == 0
    return tmp_path / "b"


def test_force_replaces_what_the_manifest_lists_and_nothing_else(mnelf, bundle, student):
    line = ("bundle", student, "--target", "onnx", "-o", "b", "--force")
    assert mnelf(*line).exit_code == 0
    for name in ("thesis.txt", "reference/notes.md", ".hidden", "deep/er/x"):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_bytes(b"years of work")
        before = content(bundle)
        refused(mnelf(*line), f"does not list, which force would delete ({name})")
        assert content(bundle) == before
        (bundle / name).unlink()
    (bundle / "link").symlink_to("/")
    refused(mnelf(*line), "(link)")
    (bundle / "link").unlink()
    with (bundle / "README.md").open("a") as file:
        file.write("my notes")
    refused(mnelf(*line), "changed after the bundle was written", "(README.md)")


@pytest.mark.parametrize(
    "manifest",
    ["{}", "a thesis", '{"schema": 1, "files": {}}', "[]"],
    ids=["{}", "text", "1", "[]"],
)
def test_force_does_not_take_any_manifest_for_one_of_ours(mnelf, tmp_path, student, manifest):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "manifest.json").write_text(manifest)
    refused(
        mnelf("bundle", student, "--target", "onnx", "-o", "b", "--force"),
        "force replaces only a bundle with a valid manifest",
    )
    assert content(tmp_path / "b") == {"manifest.json": manifest.encode()}


def test_force_does_not_delete_what_comes_while_it_works(mnelf, bundle, student, monkeypatch):
    from mobile_nelf.bundles import create

    whole = create.render_report

    def render_report(*arguments, **named):
        (bundle / "thesis.txt").write_bytes(b"years of work")
        return whole(*arguments, **named)

    monkeypatch.setattr(create, "render_report", render_report)
    refused(mnelf("bundle", student, "--target", "onnx", "-o", "b", "--force"), "(thesis.txt)")
    assert (bundle / "thesis.txt").read_bytes() == b"years of work"
    assert leftovers(bundle.parent) == []


def test_force_replaces_a_folder_of_frames_only_if_nothing_else_is_in_it(mnelf, tmp_path, student):
    line = ("render", student, "-o", "frames", "--frames", "2", "--force")
    assert mnelf(*line).exit_code == 0
    assert mnelf(*line).exit_code == 0
    (tmp_path / "frames" / "frame_of_mind.png").write_bytes(b"mine")
    refused(mnelf(*line), "which force does not replace")
