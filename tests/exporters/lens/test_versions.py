"""Projects for Lens Studio 5.22: what differs from 5.15, and that all else is the same."""

from __future__ import annotations

import pytest

from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.opened import is_updated
from mobile_nelf_exporters.lens.project import render_lens_project, render_lens_readme
from mobile_nelf_exporters.lens.studio.yaml import field_of, parse_lens_yaml
from mobile_nelf_exporters.lens.versions import STUDIOS
from tests.helpers.lens.contracts import cut_out_contract, lens_contract
from tests.helpers.lens.lint_projects import generated_project

MODELS = [(lens_contract("rays"), b"")]


def _parsed(files: dict[str, bytes], path: str):
    return parse_lens_yaml(files[f"lens_project/{path}"], path)


@pytest.fixture(scope="module")
def later() -> dict[str, bytes]:
    return render_lens_project(MODELS, "Mic", lens_studio="5.22")


@pytest.fixture(scope="module")
def earlier() -> dict[str, bytes]:
    return render_lens_project(MODELS, "Mic")


def test_the_project_file_is_that_of_5_22(later):
    project = _parsed(later, "Mic.esproj")
    version = project["studioVersion"]
    assert [version[key] for key in ("major", "minor", "patch", "build")] == [5, 22, 1, 26062503]
    assert {key: project[key] for key in STUDIOS["5.22"].numbers} == STUDIOS["5.22"].numbers
    assert project["targetPlatform"] == "Snapchat"
    assert project["metaInfo"]["lensApplicableContext"] == [
        "live_camera",
        "reply_camera",
        "video_chat",
    ]
    assert project["metaInfo"]["fromTemplateUrl"] == "Lens Studio 5.22.1.26062503"


def test_what_differs_is_what_5_22_writes_otherwise(earlier, later):
    assert later.keys() == earlier.keys()
    changed = {path for path in later if later[path] != earlier[path]}
    assert changed == {
        "lens_project/Mic.esproj",
        "lens_project/Assets/Scene.scene",
        "lens_project/Assets/NelfContract.js",
        "lens_project/Assets/model.onnx.meta",
        *(path for path in later if path.endswith(".js.meta")),
    }
    scene = _parsed(later, "Assets/Scene.scene")[0]
    assert field_of(scene, "layers", "HasOrtho") is None
    assert field_of(scene, "PrefabPreviewEnvironmentInitialized") is False
    assert field_of(_parsed(earlier, "Assets/Scene.scene")[0], "layers", "HasOrtho") is True
    script = _parsed(later, "Assets/NelfMath.js.meta")[1]
    assert field_of(script, "VersionPrerelease") == ""
    model = _parsed(later, "Assets/model.onnx.meta")[0]
    assert field_of(model, "CompressionSettings").tag == "FileCompressionSettings"


def test_ids_are_the_same_for_both(earlier, later):
    path = "Assets/NelfController.js.meta"
    first, second = (
        field_of(_parsed(files, path)[0], "PrimaryAsset") for files in (earlier, later)
    )
    assert first == second


@pytest.mark.parametrize("experience", ["orbit", "world"])
def test_the_linter_finds_nothing_in_either(experience):
    assert lint_lens_project(generated_project("rays", experience, lens_studio="5.22")) == ()


def test_a_project_is_updated_only_by_a_later_version_than_its_own(earlier, later):
    assert not is_updated(earlier)
    assert not is_updated(later)
    own = later["lens_project/Mic.esproj"]
    assert is_updated({**earlier, "lens_project/Mic.esproj": own})
    newest = (
        own.replace(b"minor: 22", b"minor: 24")
        .replace(b"coreVersion: 364", b"coreVersion: 377")
        .replace(b"clientVersion: 13.94", b"clientVersion: 14.21")
        .replace(b"updateCheckpoint: 101", b"updateCheckpoint: 107")
    )
    assert is_updated({**later, "lens_project/Mic.esproj": newest})


def test_the_readme_names_the_version():
    models = [(cut_out_contract("rays"), b"")]
    readme = render_lens_readme(models, "Mic", "world", lens_studio="5.22").decode()
    assert "Install Lens Studio 5.22 or later" in readme
    assert "5.15" not in readme
