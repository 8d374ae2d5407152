"""A target that somebody else wrote: installed by pip, it is used like those that came along."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import onnx
import pytest
from onnx import TensorProto, helper

from mobile_nelf.checkpoints import save_checkpoint
from tests.helpers import ROOT
from tests.helpers.students import random_checkpoint

TOY = ROOT / "tests" / "helpers" / "third_party"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of installed packages with the toy among them."""
    folder = tmp_path_factory.mktemp("site")
    flags = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--target", folder]
    subprocess.run([sys.executable, "-m", "pip", "install", *flags, TOY], check=True)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    save_checkpoint(random_checkpoint(sr_widths=(8,)), folder / "thing.pt")
    for name, op in (("good", "Relu"), ("bad", "Erf")):
        info = [helper.make_tensor_value_info(end, TensorProto.FLOAT, (1, 3, 4, 4)) for end in "xy"]
        graph = helper.make_graph([helper.make_node(op, ["x"], ["y"])], "g", info[:1], info[1:])
        onnx.save(helper.make_model(graph), folder / f"{name}.onnx")
    return folder


@pytest.fixture(scope="module")
def mnelf(site, place):
    """Runs a command line where the toy is installed."""

    def run(*arguments, code="from mobile_nelf.cli import main; main()"):
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=place,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def bundled(mnelf):
    return mnelf("bundle", "thing.pt", "--target", "toy", "--precision", "double")


@pytest.mark.parametrize("command", ["bundle", "check"])
def test_its_option_is_in_the_help_and_costs_no_import(mnelf, command):
    code = (
        "import sys\nfrom mobile_nelf.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'toy_target.exporter' in sys.modules)"
    )
    text = " ".join(mnelf(command, "--help", code=code).stdout.split())
    assert "coreml, lens, onnx, toy." in text
    assert "--precision [single|double] Precision of the arithmetic. For toy." in text
    assert text.endswith("False False")


def test_a_bundle_proves_itself_and_shows_its_table(mnelf, bundled, place):
    assert bundled.returncode == 0, bundled.stderr
    lines = bundled.stdout.splitlines()
    assert any(line.split() == ["operator", "count"] for line in lines)
    assert any(line.startswith("aten.conv2d.default ") for line in lines)
    assert "student → PyTorch" in bundled.stdout
    assert "after import (predicted), of 10.00 MB" in bundled.stdout
    assert lines[-1].split() == ["then", "wind", "up", "thing-toy/toy.pt2"]
    page = (place / "thing-toy" / "report.html").read_text()
    assert "<h2>Operators of the toy</h2>" in page
    assert "aten.conv2d.default" in page
    verified = mnelf("verify", "thing-toy")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    row = json.loads(mnelf("compare", "thing-toy", "--no-paper", "--json").stdout)["rows"][0]
    assert (row["target"], row["weights"], row["model"]) == ("toy", "float64", "toy.pt2")


def test_the_manifest_keeps_what_the_target_said(bundled, place):
    manifest = json.loads((place / "thing-toy" / "manifest.json").read_text())
    assert manifest["inspection"]["models"]["toy.pt2"]["weights"] == "float64"
    assert manifest["inspection"]["tables"][0]["title"] == "Operators of the toy"


def test_check_takes_the_same_options(mnelf):
    done = mnelf("check", "thing.pt", "--target", "toy", "--precision", "double", "--json")
    assert done.returncode == 0, done.stderr
    inspection = json.loads(done.stdout)["inspection"]
    assert inspection["models"]["toy.pt2"]["weights"] == "float64"


def test_check_of_an_onnx_file_is_its_own(mnelf):
    good = mnelf("check", "good.onnx", "--target", "toy")
    assert good.returncode == 0, good.stderr
    assert any(line.split() == ["Relu", "1"] for line in good.stdout.splitlines())
    bad = mnelf("check", "bad.onnx", "--target", "toy")
    assert bad.returncode == 1
    assert "Erf: slow on toys" in bad.stdout
    assert "problem: toys have no Erf; use Tanh" in bad.stdout
    assert bad.stdout.endswith("failed\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            ("bundle", "thing.pt", "--target", "toy", "--experience", "world"),
            "target toy has no option experience; it has layout, activation, precision (--exper",
        ),
        (
            ("check", "thing.pt", "--target", "lens", "--precision", "double"),
            "target lens has no option precision; it has layout, activation, experience, size_cm, "
            "lens_studio, form, lens_name",
        ),
        (("check", "good.onnx", "--target", "toy", "--layout", "rays"), "is checked as it is"),
        (("check", ".", "--target", "toy"), "target toy has no projects to check"),
        (("bundle", "thing.pt", "--target", "tyo"), "expected one of coreml, lens, onnx, toy"),
    ],
)
def test_what_it_does_not_have_is_refused_like_anywhere(mnelf, line, words):
    done = mnelf(*line)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mnelf: ")
    assert words in done.stderr
