"""Projects with packages, with conflicts of Git, and with what is not looked into."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from mobile_nelf.cli import cli
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from tests.helpers.lens.lint_projects import (
    IDS,
    META,
    SCENE,
    SCRIPT,
    assert_reported,
    by_hand,
    edited,
    with_asset,
)

pytestmark = pytest.mark.usefixtures("quick_yaml")

PACKAGE, PACKAGE_FILE = (
    "5f0c2e9b-81d6-4a37-b7e4-c93a6d10f258",
    "e72b4d18-3c95-4f80-9a6d-02f8b15c7e43",
)


def test_references_are_checked_beside_an_unpacked_package(good):
    """Nearly all public projects hold one; what it defines is known like everything else."""
    files = by_hand(good)
    texture = f"  Texture: !<reference.Texture> {IDS[1]}"
    lost = edited(files, SCENE, re.escape(texture), texture.replace("f3a90b62", "a1b2c3d4"))
    package = {
        "Assets/Kit.lspkg/package.native": f"- !<NativePackageDescriptor/{PACKAGE}>\n  A: 1\n",
        "Assets/Kit.lspkg/package.native.meta": META.format(
            file=PACKAGE_FILE, kind="NativePackageDescriptor", asset=PACKAGE,
            importer="NativePackageDescriptorImporter",
        ),
    }  # fmt: skip
    unpacked = {path: text.encode() for path, text in package.items()}
    assert_reported({**lost, **unpacked}, SCENE, "which nothing in the project defines", "warning")
    assert lint_lens_project({**files, **unpacked}) == ()


def test_a_packed_package_does_not_matter_where_all_references_are_resolved(good):
    assert lint_lens_project({**by_hand(good), "Packages/Kit.lspkg": b"\x00packed"}) == ()


def test_merge_markers(good):
    conflict = b"<<<<<<< HEAD\nvar a = 1;\n=======\nvar a = 2;\n>>>>>>> theirs\n"
    files = {**good, SCRIPT: good[SCRIPT] + conflict}
    line = good[SCRIPT].count(b"\n") + 1
    assert_reported(files, SCRIPT, f"holds merge markers of Git, the first in line {line}")


def test_models_that_are_not_looked_into_are_named(good):
    files = with_asset(good, "Assets/Other.tflite", b"\x1c\0\0\0TFL3", "FileMLAsset",
                       "FileMLAssetImporter")  # fmt: skip
    assert_reported(
        files, "Assets/Other.tflite", "was not checked, only ONNX models are", "warning"
    )


def test_a_project_file_stands_for_its_folder(good, tmp_path):
    for path, content in good.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (project,) = tmp_path.glob("*.esproj")
    result = CliRunner().invoke(cli, ["check", str(project), "--target", "lens"])
    assert result.exit_code == 0, result.output
    assert "0 error(s)" in result.output


def test_a_project_of_an_old_lens_studio(tmp_path):
    old = tmp_path / "Old.lsproj"
    old.write_bytes(b"version: 4")
    for path in (old, tmp_path):
        result = CliRunner().invoke(cli, ["check", str(path), "--target", "lens"])
        assert result.exit_code == 2
        assert "Old.lsproj: is a project of Lens Studio 4 or older; open it" in result.output
