"""Bundles whose project Lens Studio has opened: its own work is remarked, and nothing else passes.

The edits are those that Lens Studio 5.24 was seen to make.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

import mobile_nelf
from mobile_nelf.bundles import create_bundle
from mobile_nelf.errors import OutputError
from mobile_nelf_exporters.lens.paths import MODEL_PATH, PROJECT
from mobile_nelf_exporters.lens.studio.yaml import parse_lens_yaml
from mobile_nelf_exporters.lens.versions import DEFAULT_STUDIO, STUDIOS
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

CONTROLLER = f"{PROJECT}/Assets/NelfController.js"
ESPROJ = f"{PROJECT}/thing.esproj"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bundles") / "thing"
    return create_bundle(random_checkpoint(sr_widths=(8,)), target="lens", output=output).path


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "thing")
    return tmp_path / "thing"


@pytest.fixture
def opened(copy: Path) -> Path:
    open_in_lens_studio(copy)
    return copy


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_bytes().decode()
    changed = change(text)
    assert changed != text, path
    path.write_bytes(changed.encode())


def open_in_lens_studio(bundle: Path) -> None:
    """What 5.24.1 does to a project of 5.15.4."""
    numbers = {
        "minor: 15": "minor: 24",
        "patch: 4": "patch: 1",
        "build: 26022322": "build: 26100701",
        "coreVersion: 330": "coreVersion: 377",
        "clientVersion: 13.60": "clientVersion: 14.21",
        "updateCheckpoint: 76": "updateCheckpoint: 107",
        "  iconHash": "  lensApplicableContext:\n    - live_camera\n  packageId: ''\n  iconHash",
    }

    def update(text: str) -> str:
        for old, new in numbers.items():
            assert old in text
            text = text.replace(old, new, 1)
        return text + "targetPlatform: Snapchat\n"

    edit(bundle / ESPROJ, update)
    edit(bundle / CONTROLLER, lambda text: "//@component\n" + text)
    edit(
        bundle / f"{CONTROLLER}.meta",
        lambda text: text.replace(
            "  VersionPatch: 0", '  VersionPatch: 0\n  VersionPrerelease: ""'
        ),
    )
    edit(
        bundle / f"{MODEL_PATH}.meta",
        lambda text: re.sub(
            r"!<SingleCompressionSettings>\n.*\n.*\n", "!<FileCompressionSettings>\n    {}\n", text
        ),
    )
    for name in (
        "Cache/TypeScript/x.js",
        "Cache/Assets/model.dnn",
        "Support/StudioLib.d.ts",
        "Workspaces/Default.json",
        "jsconfig.json",
        "BackUp/thing.zip",
        "thing.lock",
    ):
        (bundle / PROJECT / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / PROJECT / name).write_text("of Lens Studio")


def test_an_opened_project_passes_with_remarks_and_all_legs(original, opened):
    verification = mobile_nelf.verify(opened)
    assert verification.passed, verification.problems
    names = [leg.name for leg in verification.legs]
    assert names == [leg.name for leg in mobile_nelf.verify(original).legs]
    assert verification.not_repeated == ()
    assert verification.unlisted == ()
    remarked = {remark.partition(": ")[0]: remark for remark in verification.remarks}
    assert set(remarked) == {
        ESPROJ,
        CONTROLLER,
        f"{CONTROLLER}.meta",
        f"{MODEL_PATH}.meta",
        *(f"{PROJECT}/{name}" for name in ("BackUp", "Cache", "Support", "Workspaces")),
        f"{PROJECT}/jsconfig.json",
        f"{PROJECT}/thing.lock",
    }
    assert "//@component" in remarked[CONTROLLER]
    assert "2 files" in remarked[f"{PROJECT}/Cache"]


@pytest.mark.parametrize("line", ["//@component\r\n", "// @component\n\n", "//@component\n"])
def test_the_line_alone_is_remarked(copy, line):
    edit(copy / CONTROLLER, lambda text: line + text)
    verification = mobile_nelf.verify(copy)
    assert verification.passed, verification.problems
    assert [remark.partition(": ")[0] for remark in verification.remarks] == [CONTROLLER]


@needs_node
def test_an_opened_project_can_be_previewed(opened, tmp_path):
    from mobile_nelf.bundles.preview import preview_bundle

    preview = preview_bundle(opened, tmp_path / "film.gif", frames=2, screen=(36, 64))
    assert preview.interactive


def wrong_scripts(bundle: Path) -> str:
    edit(bundle / CONTROLLER, lambda text: text + "\n// more\n")
    return CONTROLLER


def a_new_first_line(bundle: Path) -> str:
    edit(bundle / CONTROLLER, lambda text: text.replace("//@component", "//@component x", 1))
    return CONTROLLER


def another_script(bundle: Path) -> str:
    name = f"{PROJECT}/Assets/NelfMath.js"
    edit(bundle / name, lambda text: text + " ")
    return name


def another_model(bundle: Path) -> str:
    model = onnx.load(bundle / MODEL_PATH)
    model.graph.doc_string = "changed"
    (bundle / MODEL_PATH).write_bytes(model.SerializeToString())
    return MODEL_PATH


def another_scene(bundle: Path) -> str:
    name = f"{PROJECT}/Assets/Scene.scene"
    edit(bundle / name, lambda text: text.replace("Enabled: true", "Enabled: false", 1))
    return name


def a_wrong_scale(bundle: Path) -> str:
    name = f"{MODEL_PATH}.meta"
    edit(bundle / name, lambda text: text.replace("scale: 1.000000000", "scale: 255.000000000"))
    return name


def another_id(bundle: Path) -> str:
    name = f"{MODEL_PATH}.meta"
    text = (bundle / name).read_text()
    identity = re.search(r"PrimaryAsset: !<reference> (\S+)", text)[1]
    edit(bundle / name, lambda text: text.replace(identity, "9c1e4f7a-30d8-4b62-8f15-6ad2b7c09e43"))
    return "input 'model' is nothing that the project defines"


def code_in_a_meta(bundle: Path) -> str:
    name = f"{CONTROLLER}.meta"
    edit(bundle / name, lambda text: text.replace('code: ""', 'code: "print(1)"'))
    return name


def lossy_compression(bundle: Path) -> str:
    name = f"{PROJECT}/Assets/small.onnx.meta"
    edit(
        bundle / name, lambda text: text.replace("CompressorName: None", "CompressorName: FastDnn")
    )
    return name


def another_start(bundle: Path) -> str:
    edit(bundle / ESPROJ, lambda text: re.sub(r"sceneId: 0a1c", "sceneId: 1b1c", text))
    return ESPROJ


@pytest.mark.parametrize(
    "change",
    [
        wrong_scripts,
        a_new_first_line,
        another_script,
        another_model,
        another_scene,
        a_wrong_scale,
        another_id,
        code_in_a_meta,
        lossy_compression,
        another_start,
    ],
)
def test_other_changes_are_caught_in_an_opened_project_too(opened, change):
    name = change(opened)
    verification = mobile_nelf.verify(opened)
    assert not verification.passed
    assert any(name in problem for problem in verification.problems), verification.problems


def test_metas_are_nobodys_business_until_the_project_is_updated(copy):
    name = f"{CONTROLLER}.meta"
    edit(copy / name, lambda text: text.replace("VersionMajor: 0", "VersionMajor: 1"))
    assert mobile_nelf.verify(copy).problems == (
        f"{name}: was changed after the bundle was written",
    )


def test_files_in_the_wrong_place_are_not_of_lens_studio(copy):
    for name in ("Cache/x", f"{PROJECT}/Assets/More.js", f"{PROJECT}/Assets/Cache/x"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("x")
    assert mobile_nelf.verify(copy).unlisted == (
        "Cache/x",
        f"{PROJECT}/Assets/Cache/x",
        f"{PROJECT}/Assets/More.js",
    )


def test_our_numbers_are_those_of_the_template(copy):
    project = parse_lens_yaml((copy / ESPROJ).read_bytes(), ESPROJ)
    version = project["studioVersion"]
    written = STUDIOS[DEFAULT_STUDIO]
    assert (version["major"], version["minor"], version["patch"]) == written.version
    assert {name: project[name] for name in written.numbers} == written.numbers


def test_force_does_not_delete_what_lens_studio_made(opened):
    with pytest.raises(OutputError, match=r"does not list.*lens_project/BackUp/thing\.zip"):
        create_bundle(random_checkpoint(sr_widths=(8,)), target="lens", output=opened, force=True)
