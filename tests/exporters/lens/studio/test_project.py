"""Reading a Lens Studio project: what resolves, and what is said when something does not."""

from __future__ import annotations

import itertools
import re

import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.studio.project import parse_lens_project, read_lens_project
from tests.helpers.lens.runtime_projects import runtime_project

SCENE = "Assets/Scene.scene"
SCENE_ID = "0a1ccb1a-fe88-4fbb-9883-e3af3c75fd99"
MODEL_ID = "60f8e4a1-d3b2-4c75-9e1d-5a7b8c02f397"
MODEL_FILE_ID = "5cf1e83a-b907-4d42-8e6b-4a0d92c7f321"
CHILD_ID = "9d1f7c52-33a8-4f36-b1c7-6a2e40d98b53"
ROOT_ID = "4e6ad30f-9f0c-4f1b-8f0a-0d8a5cc1c4a1"
SCRIPT_COMPONENT_ID = "7ab8d1f3-2c64-4a5e-8d90-e1f5b3c60d75"
TARGET_ID = "b53ad6f4-6d0f-4c3e-9a52-0f5d1a0c7be2"
NOBODY = "12345678-9abc-4def-8123-456789abcdef"


def _edited(path: str, *changes: tuple[str, str]) -> dict[str, bytes]:
    files = runtime_project()
    text = files[path].decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return {**files, path: text.encode()}


def test_assets_are_known_by_the_id_of_the_asset():
    project = read_lens_project(runtime_project())
    assert project.name == "Test"
    model = project.assets[MODEL_ID]
    assert (model.path, model.kind) == ("Assets/model.onnx", "FileMLAsset")
    assert MODEL_FILE_ID not in project.assets
    assert {asset.kind for asset in project.assets.values()} == {
        "Scene",
        "RenderTarget",
        "Texture",
        "JavaScriptAsset",
        "FileMLAsset",
    }


def test_objects_own_components_and_children():
    project = read_lens_project(runtime_project())
    (root,) = project.objects
    assert (root.name, [c.kind for c in root.components]) == ("Root", ["Camera"])
    (child,) = root.children
    assert (child.name, [c.kind for c in child.components]) == ("Child", ["ScriptComponent"])
    assert root.enabled
    assert project.render_output == TARGET_ID


def test_a_file_without_meta_is_invisible():
    files = runtime_project()
    del files["Assets/model.onnx.meta"]
    project = read_lens_project(files)
    assert "Assets/model.onnx" not in {asset.path for asset in project.assets.values()}


#: An edit of a file, and what is said of it.
BROKEN = [
    ("Test.esproj", ("sceneId: ", "scene: "), "Test.esproj: has no sceneId"),
    ("Test.esproj", (SCENE_ID, NOBODY), f"Test.esproj: sceneId '{NOBODY}'"),
    ("Test.esproj", (SCENE_ID, MODEL_ID), f"Test.esproj: sceneId '{MODEL_ID}'"),
    (
        SCENE,
        (f"Scene/{SCENE_ID}", f"Scene/{NOBODY}"),
        f"{SCENE}.meta: names the asset {SCENE_ID}, the file itself is {NOBODY}",
    ),
    (SCENE, ("RenderOutput", "RenderOutpu"), f"{SCENE}: RenderOutput is not set"),
    (
        SCENE,
        (f"    - !<own> {CHILD_ID}", f"    - !<own> {NOBODY}"),
        f"{SCENE}: owns an entity {NOBODY}",
    ),
    (
        SCENE,
        (f"    - !<own> {CHILD_ID}", f"    - !<own> {ROOT_ID}"),
        f"{SCENE}: {ROOT_ID} has 2 owners",
    ),
    (
        SCENE,
        (f"    - !<own> {SCRIPT_COMPONENT_ID}", f"    - !<own> {NOBODY}"),
        f"{SCENE}: owns an entity {NOBODY} that the file does not define",
    ),
    (SCENE, ("  objects:\n", "  object:\n"), f"{SCENE}: Scene/{SCENE_ID} has no list of obj"),
    (SCENE, ("- !<", "  !<"), f"{SCENE}: is not readable as YAML"),
    (
        "Assets/model.onnx.meta",
        (f"PrimaryAsset: !<reference> {MODEL_ID}", f"PrimaryAsset: !<reference> {NOBODY}"),
        "Assets/model.onnx.meta: PrimaryAsset is not among",
    ),
    (
        "Assets/model.onnx.meta",
        ("    FileMLAsset: ", "    - "),
        "Assets/model.onnx.meta: PrimaryAsset",
    ),
    (
        "Assets/model.onnx.meta",
        (MODEL_ID, MODEL_FILE_ID),
        f"Assets/model.onnx.meta: file and asset have the same id {MODEL_FILE_ID}",
    ),
    (
        "Assets/model.onnx.meta",
        (MODEL_ID, TARGET_ID),
        f"Assets/model.onnx.meta: uses the id {TARGET_ID} that Assets/Screen.renderTarget.meta",
    ),
    (
        "Assets/model.onnx.meta",
        (f"AssetImportMetadata/{MODEL_FILE_ID}", "AssetImportMetadata"),
        "Assets/model.onnx.meta: does not begin like a file of Lens Studio",
    ),
]


@pytest.mark.parametrize(("path", "change", "said"), BROKEN)
def test_what_does_not_resolve_is_named_with_its_file(path, change, said):
    with pytest.raises(BundleError, match=re.escape(said)):
        read_lens_project(_edited(path, change))


@pytest.mark.parametrize(("path", "change", "said"), BROKEN)
def test_the_linter_reports_what_the_player_refuses(path, change, said):
    reported = [
        f"{finding.path}: {finding.problem}"
        for finding in lint_lens_project(_edited(path, change))
        if finding.severity == "error"
    ]
    assert any(said in line for line in reported), reported


def test_a_meta_without_its_file_is_reported():
    files = runtime_project()
    del files["Assets/model.onnx"]
    with pytest.raises(
        BundleError, match=r"Assets/model.onnx.meta: describes model.onnx, which is missing"
    ):
        read_lens_project(files)


@pytest.mark.parametrize("names", [[], ["Test.esproj", "Other.esproj"]])
def test_a_project_has_one_esproj(names):
    files = runtime_project()
    content = files.pop("Test.esproj")
    with pytest.raises(BundleError, match=f"one .esproj file, found {', '.join(names) or 'none'}"):
        read_lens_project({**files, **dict.fromkeys(names, content)})


def test_lists_that_are_missing_or_lead_nowhere_are_holes():
    files = _edited(SCENE, ("  Components:\n", "  Component:\n"))
    assert [hole.problem for hole in parse_lens_project(files).holes] == [
        f"SceneObject/{ROOT_ID} has no list of Components",
        f"SceneObject/{CHILD_ID} has no list of Components",
    ]
    files = _edited(SCENE, (f"- !<own> {SCRIPT_COMPONENT_ID}", "- nothing"))
    (hole,) = parse_lens_project(files).holes
    assert hole.problem.startswith(f"SceneObject/{CHILD_ID} has nothing among its Components")


def test_what_does_not_resolve_is_left_out():
    project = parse_lens_project(_edited(SCENE, (f"- !<own> {CHILD_ID}", f"- !<own> {ROOT_ID}")))
    assert [(root.id, root.children) for root in project.objects] == [(ROOT_ID, ())]
    assert parse_lens_project({}).objects == ()


def test_objects_are_read_to_a_depth_that_recursion_holds():
    files = runtime_project()
    ids = [f"{number:08x}-33a8-4f36-b1c7-6a2e40d98b53" for number in range(3000)]
    chain = "".join(
        f"- !<SceneObject/{own}>\n  Components:\n    []\n  Children:\n    - !<own> {below}\n"
        for own, below in itertools.pairwise(ids)
    )
    scene = files[SCENE].decode().replace(f"- !<own> {CHILD_ID}", f"- !<own> {ids[0]}", 1)
    project = parse_lens_project({**files, SCENE: (scene + chain).encode()})
    assert any("lies deeper than the 100 levels" in hole.problem for hole in project.holes)
