"""`mnelf check` on folders: projects of Lens Studio, made here or by hand."""

from __future__ import annotations

import json
import shutil

import pytest

RENDER_OUTPUT = "RenderOutput: !<reference> "
NIL = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def bundled(checkpoint, tmp_path_factory):
    import mobile_nelf

    output = tmp_path_factory.mktemp("lens") / "thing"
    return mobile_nelf.bundle(checkpoint, target="lens", output=output).path


@pytest.fixture
def bundle(bundled, tmp_path):
    shutil.copytree(bundled, tmp_path / "thing")
    return tmp_path / "thing"


def _break(bundle) -> None:
    """Two mistakes that people make: a meta that was not committed, an output that is not set."""
    assets = bundle / "lens_project" / "Assets"
    (assets / "NelfController.js.meta").unlink()
    lines = (assets / "Scene.scene").read_text(encoding="utf-8").split("\n")
    edited = [
        f"  {RENDER_OUTPUT}{NIL}" if line.startswith(f"  {RENDER_OUTPUT}") else line
        for line in lines
    ]
    assert edited != lines
    (assets / "Scene.scene").write_text("\n".join(edited), encoding="utf-8")


@pytest.mark.parametrize("folder", ["thing", "thing/lens_project"])
def test_a_project_of_ours_passes(mnelf, bundle, folder):
    result = mnelf("check", folder)
    assert result.exit_code == 0, result.output
    assert "0 error(s), 0 warning(s)" in result.stdout
    assert "Assets/model.onnx" in result.stdout
    for layer in ("conv", "deconv", "sigmoid"):
        assert f"\n{layer} " in result.stdout
    assert result.stdout.endswith("\npassed\n")


def test_mistakes_are_listed_with_what_to_do(mnelf, bundle):
    _break(bundle)
    result = mnelf("check", "thing", "--target", "lens")
    assert result.exit_code == 1
    assert "error in" in result.stdout
    assert "what to do" in result.stdout
    assert "\nAssets/NelfController.js " in result.stdout
    assert "\nAssets/Scene.scene " in result.stdout
    assert "RenderOutput is not set" in result.stdout
    assert result.stdout.endswith("\nfailed\n")
    assert "Traceback" not in result.output


def test_mistakes_for_machines(mnelf, bundle):
    _break(bundle)
    result = mnelf("check", "thing", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["passed"], report["target"], report["path"]) == (False, "lens", "thing")
    assert report["project"] == "lens_project/thing.esproj"
    (table,) = report["models"]["lens_project/Assets/model.onnx"]["tables"]
    assert table["notes"][0].startswith("Opset 11; ")
    finding = next(f for f in report["findings"] if "RenderOutput" in f["problem"])
    assert finding["path"] == "lens_project/Assets/Scene.scene"
    assert finding["severity"] == "error"
    assert finding["advice"]


def test_a_warning_alone_passes(mnelf, bundle):
    scene = bundle / "lens_project" / "Assets" / "Scene.scene"
    scene.write_bytes(scene.read_bytes().replace(b"\n", b"\r\n"))
    result = mnelf("check", "thing")
    assert result.exit_code == 0, result.output
    assert "0 error(s), 1 warning(s)" in result.stdout
    assert "Windows line ends" in result.stdout


def test_a_folder_without_a_project_says_what_was_expected(mnelf, tmp_path):
    (tmp_path / "input").mkdir()
    result = mnelf("check", "input")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "input: is a directory, expected a checkpoint, an ONNX file, or a" in result.stderr
    assert ".esproj" in result.stderr


@pytest.mark.parametrize("target", ["onnx", "coreml"])
def test_other_targets_have_no_projects(mnelf, bundle, target):
    result = mnelf("check", "thing", "--target", target)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert f"target {target} has no projects to check" in result.stderr


@pytest.mark.parametrize("option", [("--layout", "rays"), ("--camera", "2,2,2.8,2,6")])
def test_options_of_a_checkpoint_are_refused(mnelf, bundle, option):
    result = mnelf("check", "thing", *option)
    assert result.exit_code == 2
    assert "is a project and is checked as it is" in result.stderr
