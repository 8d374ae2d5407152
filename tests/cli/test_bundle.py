"""`mnelf bundle` without a checkpoint, and for several targets."""

from __future__ import annotations

import shutil

import pytest

from mobile_nelf.checkpoints import save_checkpoint
from tests.helpers.cli import fits, read_json, said
from tests.helpers.students import random_checkpoint

BOTH = ("--target", "onnx", "--target", "lens")


@pytest.fixture
def here(tmp_path, student):
    """A folder with one checkpoint."""
    shutil.copy(student, tmp_path / "thing.pt")
    return tmp_path


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(result, *texts, code=2):
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    for text in texts:
        assert text in result.stderr


def test_the_only_checkpoint_is_taken_and_named(mnelf, here):
    result = mnelf("bundle", "--target", "onnx")
    assert result.exit_code == 0, result.output
    assert said(result.stderr) == ["thing.pt: the only checkpoint of this folder"]
    assert "bundle       thing-onnx\n" in fits(result)
    report = read_json(mnelf("bundle", "--target", "onnx", "--force", "--json"))
    assert report["checkpoint"] == "thing.pt"
    # What was taken is what a name gives.
    named = read_json(mnelf("bundle", "thing.pt", "--target", "onnx", "-o", "named", "--json"))
    files = [data["bundles"][0]["manifest"]["files"] for data in (report, named)]
    assert files[0]["model.onnx"] == files[1]["model.onnx"]


def test_several_checkpoints_are_listed(mnelf, here):
    shutil.copy(here / "thing.pt", here / "other.pt")
    result = mnelf("bundle", "--target", "onnx")
    refused(result, "the current folder has several checkpoints: other.pt, thing.pt; name one")
    assert left(here) == ["other.pt", "thing.pt"]


def test_without_a_checkpoint(mnelf, tmp_path):
    refused(
        mnelf("bundle", "--target", "onnx"), "the current folder has no checkpoint of a student"
    )
    assert left(tmp_path) == []


def test_several_targets(mnelf, here):
    result = mnelf("bundle", "thing.pt", *BOTH, "--target", "lens")  # once more counts once
    assert result.exit_code == 0, result.output
    out = fits(result)
    assert out.index("bundle       thing-onnx\n") < out.index("bundle       thing-lens\n")
    assert out.count("\nparity ") == 2
    assert left(here) == ["thing-lens", "thing-onnx", "thing.pt"]
    for target in ("onnx", "lens"):
        assert mnelf("verify", f"thing-{target}").exit_code == 0


def test_the_output_of_several_targets_holds_their_bundles(mnelf, here):
    report = read_json(mnelf("bundle", "thing.pt", *BOTH, "-o", "out", "--json"))
    paths = [bundle["path"] for bundle in report["bundles"]]
    assert paths == ["out/thing-onnx", "out/thing-lens"]
    assert left(here / "out") == ["thing-lens", "thing-onnx"]
    assert [b["manifest"]["target"] for b in report["bundles"]] == ["onnx", "lens"]
    # A bundle would not verify with others inside.
    refused(
        mnelf("bundle", "thing.pt", *BOTH, "-o", "out/thing-onnx"),
        "out/thing-onnx: is a bundle, expected a folder for those of 2 targets",
        "--output",
    )


def test_an_option_counts_for_the_targets_that_have_it(mnelf, here):
    wide = random_checkpoint(sr_widths=(8,), ray_width=8, ray_height=8)
    save_checkpoint(wide, here / "wide.pt")
    line = ("bundle", "wide.pt", *BOTH)
    report = read_json(mnelf(*line, "--experience", "world", "--layout", "factored", "--json"))
    onnx, lens = (bundle["manifest"] for bundle in report["bundles"])
    assert onnx["contract"]["layout"] == lens["contract"]["layout"] == "factored"
    assert "lens_project/Assets/NelfWorld.js" in lens["files"]
    refused(
        mnelf(*line, "--weights", "fp16", "--force"),
        "none of the targets onnx, lens has an option weights",
        "--weights",
    )


def test_if_one_target_refuses_nothing_is_written(mnelf, here):
    refused(mnelf("bundle", "thing.pt", *BOTH, "--target", "android"), "unknown target 'android'")
    (here / "thing-lens").mkdir()
    refused(mnelf("bundle", "thing.pt", *BOTH), "thing-lens: exists already", "--force")
    # What the target says only of an export: the size of the model after import.
    save_checkpoint(random_checkpoint(width=1024, depth=8, sr_widths=(8,)), here / "large.pt")
    refused(mnelf("bundle", "large.pt", *BOTH), "target lens cannot take this student", "10 MB")
    assert left(here) == ["large.pt", "thing-lens", "thing.pt"]
