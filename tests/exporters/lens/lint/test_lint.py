"""The linter of Lens Studio projects: silent on good ones, a finding for each known mistake."""

from __future__ import annotations

import re

import pytest

from mobile_nelf.errors import InputError
from mobile_nelf_exporters.lens.lint.check import (
    check_lens_files,
    check_lens_folder,
    lint_lens_project,
)
from tests.helpers.lens.contracts import LAYOUT_NAMES
from tests.helpers.lens.lint_projects import (
    IDS,
    MODEL,
    SCENE,
    SMALL,
    assert_reported,
    by_hand,
    edited,
    generated_project,
    with_asset,
    without,
)

pytestmark = pytest.mark.usefixtures("quick_yaml")


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
@pytest.mark.parametrize("experience", ["orbit", "world"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_generated_project_has_no_findings(layout, experience, channels):
    check = check_lens_files(generated_project(layout, experience, out_channels=channels))
    assert check.findings == ()
    assert check.passed
    assert check.project == "Thing.esproj"
    assert check.models.keys() == {MODEL, SMALL}


def test_a_project_within_other_files(good):
    files = {f"a/b/{path}": content for path, content in without(good, f"{SCENE}.meta").items()}
    check = check_lens_files({**files, "README.md": b"", "model.onnx": b"x"}, "a/b")
    assert check.project == "a/b/Thing.esproj"
    assert {finding.path for finding in check.findings} <= files.keys()
    assert not check.passed


# ---- Projects made by hand ----------------------------------------------------------------------


def test_a_project_with_more_than_ours_has_no_findings(good):
    files = by_hand(good)
    assert b"FutureComponent" in files[SCENE]
    assert lint_lens_project(files) == ()


def test_what_a_package_defines_is_not_missed(good):
    texture = f"  Texture: !<reference.Texture> {IDS[1]}"
    files = edited(
        by_hand(good), SCENE, re.escape(texture), texture.replace("f3a90b62", "a1b2c3d4")
    )
    assert_reported(files, SCENE, "which nothing in the project defines", "warning")
    (found,) = lint_lens_project({**files, "Packages/Kit.lspkg": b"\x00packed"})
    assert (found.path, found.severity) == ("Packages/Kit.lspkg", "warning")
    assert found.problem.startswith("1 reference(s) lead to nothing in the project and could not")
    assert "a1b2c3d4" in found.problem


def test_a_text_asset_of_an_unknown_type_is_left_alone(good):
    files = with_asset(good, "Assets/Notes.weird", b"- a\n- b: [", "Strange", "StrangeImporter")
    assert lint_lens_project(files) == ()


@pytest.mark.parametrize(
    "studio", [("14", "328", "13.580000", "75"), ("22", "364", "13.94", "101")]
)
def test_other_versions_of_lens_studio_5(good, studio):
    minor, core, client, checkpoint = studio
    files = edited(good, "Thing.esproj", r"minor: 15", f"minor: {minor}")
    files = edited(files, "Thing.esproj", r"coreVersion: .*", f"coreVersion: {core}")
    files = edited(files, "Thing.esproj", r"clientVersion: .*", f"clientVersion: {client}")
    files = edited(
        files, "Thing.esproj", r"updateCheckpoint: .*", f"updateCheckpoint: {checkpoint}"
    )
    files = edited(files, "Thing.esproj", r"metaInfo:\n", "targetPlatform: Snapchat\nmetaInfo:\n")
    assert lint_lens_project(files) == ()


# ---- Folders ------------------------------------------------------------------------------------


def _write(files, folder) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def test_folders_of_projects_and_bundles(good, tmp_path):
    _write(without(good, f"{SCENE}.meta"), tmp_path / "bundle" / "lens_project")
    _write({"Assets/x.js": b"(", "a.onnx": b"x"}, tmp_path / "bundle" / "lens_project" / "Cache")
    bundle = check_lens_folder(tmp_path / "bundle")
    project = check_lens_folder(tmp_path / "bundle" / "lens_project")
    assert bundle.project == "lens_project/Thing.esproj"
    assert [f"lens_project/{f.path}" for f in project.findings] == [f.path for f in bundle.findings]
    assert not project.passed


def test_a_folder_without_a_project(tmp_path):
    with pytest.raises(InputError, match=r"expected a checkpoint, .*\.esproj"):
        check_lens_folder(tmp_path)
