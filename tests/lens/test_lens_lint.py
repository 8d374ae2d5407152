"""The linter of Lens Studio projects: silent on good ones, a finding for each known mistake."""

from __future__ import annotations

import re
import shutil

import pytest
from lens.lint_projects import (
    IDS,
    MODEL,
    NIL,
    SCENE,
    SCRIPT,
    SMALL,
    TARGET,
    assert_reported,
    edited,
    generated_project,
    with_asset,
    without,
)

from mobile_nelf.errors import InputError
from mobile_nelf_exporters.lens_lint import check_lens_files, check_lens_folder, lint_lens_project
from mobile_nelf_exporters.lens_lint_scripts import script_inputs, syntax_problems

pytestmark = pytest.mark.usefixtures("quick_yaml")

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="scripts are parsed by Node, and there is none on PATH"
)


@pytest.mark.parametrize(
    ("layout", "experience"),
    [
        *((layout, "orbit") for layout in ("factored", "rays", "camera", "embedded")),
        *((layout, "world") for layout in ("factored", "rays", "embedded")),
    ],
)
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


def _by_hand(files) -> dict[str, bytes]:
    """What a user adds in Lens Studio: a folder, a texture, TypeScript, a component, a text."""
    files = with_asset(files, "Assets/My Art/Cat.png", b"\x89PNG", "Texture", "FileTextureImporter")
    files = with_asset(
        files,
        "Assets/Scripts/Spin.ts",
        b'import {SIK} from "SpectaclesInteractionKit.lspkg/SIK"\r\n@component\nclass Spin {}\n',
        "TypeScriptAsset",
        "TypeScriptAssetImporter",
        IDS[2:],
    )
    files = edited(
        files,
        SCENE,
        r"(?m)^- !<ScriptComponent/",
        "- !<FutureComponent/ab03d2f7-64c9-4e18-b75a-2f9e10c8d463>\n  Name: unknown to us\n"
        "  Texture: !<reference.Texture> f3a90b62-1d7c-48e5-b246-05e9d8c73a1f\n"
        "  Objects: !<reference.SceneObject[]>\n    []\n"
        "  Text: Drop me\u2028(hold)\n  ColorMask: {x: true, y: true, z: true, w: false}\n"
        "- !<ScriptComponent/",
    )
    files = edited(
        files, SCENE, r"(    - !<own> \S+\n)(?=- )",
        r"\1    - !<own> ab03d2f7-64c9-4e18-b75a-2f9e10c8d463\n",
    )  # fmt: skip
    return {**files, "README.md": b""}


def test_a_project_with_more_than_ours_has_no_findings(good):
    files = _by_hand(good)
    assert b"FutureComponent" in files[SCENE]
    assert lint_lens_project(files) == ()


def test_what_a_package_defines_is_not_missed(good):
    texture = f"  Texture: !<reference.Texture> {IDS[1]}"
    files = edited(
        _by_hand(good), SCENE, re.escape(texture), texture.replace("f3a90b62", "a1b2c3d4")
    )
    assert_reported(files, SCENE, "which nothing in the project defines", "warning")
    assert lint_lens_project({**files, "Packages/Kit.lspkg": b"\x00packed"}) == ()


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


# ---- Project file -------------------------------------------------------------------------------


def test_no_project_file(good):
    assert_reported(without(good, "Thing.esproj"), "", "expected one .esproj file, found none")


def test_two_project_files(good):
    assert_reported({**good, "B.esproj": good["Thing.esproj"]}, "", "found .*B.esproj")


@pytest.mark.parametrize("key", ["clientVersion", "  lensName", "metaInfo", "  documentId"])
def test_a_sparse_project_file(good, key):
    files = edited(good, "Thing.esproj", rf"(?m)^{key}:.*\n", "")
    assert_reported(files, "Thing.esproj", f"lacks .*{key.strip()}|not readable")


def test_a_scene_id_that_is_no_scene(good):
    files = edited(good, "Thing.esproj", r"sceneId: .*", f"sceneId: {IDS[0]}")
    assert_reported(files, "Thing.esproj", "is no scene")


# ---- Metas and ids ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_missing_meta(good, path):
    assert_reported(without(good, f"{path}.meta"), path, r"has no .*\.meta")


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_meta_without_its_file(good, path):
    assert_reported(without(good, path), f"{path}.meta", "which is missing")


def _asset_id(files, path) -> str:
    return re.search(r"PrimaryAsset: !<reference> (\S+)", files[f"{path}.meta"].decode())[1]


def _file_id(files, path) -> str:
    return re.search(r"AssetImportMetadata/([^>]+)", files[f"{path}.meta"].decode())[1]


def test_file_and_asset_with_one_id(good):
    files = edited(good, f"{MODEL}.meta", _file_id(good, MODEL), _asset_id(good, MODEL))
    assert_reported(files, f"{MODEL}.meta", "file and asset have the same id")


def test_two_files_with_one_id(good):
    files = edited(good, f"{SCRIPT}.meta", _file_id(good, SCRIPT), _file_id(good, MODEL))
    assert_reported(files, f"{MODEL}.meta", "already")


@pytest.mark.parametrize(
    "identity",
    [
        "11111111-1111-1111-1111-111111111111",
        "12345678-1234-1234-1234-123456789abc",
        "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "00000000-0000-0000-0000-000000000001",
        "01234567-89ab-cdef-0123-456789abcdef",
    ],
)
def test_a_placeholder_id(good, identity):
    files = {
        p: c.replace(_asset_id(good, MODEL).encode(), identity.encode()) for p, c in good.items()
    }
    assert_reported(files, f"{MODEL}.meta", "placeholder", "warning")


@pytest.mark.parametrize("identity", ["model", "123", "1fa76071-6107-52be-a243-f48992e7c37g"])
def test_a_malformed_id(good, identity):
    files = {
        p: c.replace(_asset_id(good, MODEL).encode(), identity.encode()) for p, c in good.items()
    }
    assert_reported(files, f"{MODEL}.meta", "is no UUID")


def test_ids_counted_by_hand(good):
    files = good
    for path, last in ((MODEL, "0001"), (SCRIPT, "0002")):
        old, new = _file_id(good, path), f"7d3b91e6-a5c0-4f28-b64e-19c8d27f{last}"
        files = edited(files, f"{path}.meta", old, new)
    assert_reported(files, f"{MODEL}.meta", "differ in their last digits", "warning")


def test_a_native_file_that_its_meta_calls_otherwise(good):
    files = edited(good, TARGET, _asset_id(good, TARGET), IDS[0])
    assert_reported(files, f"{TARGET}.meta", "the file itself is")


def test_a_wrong_importer(good):
    files = edited(good, f"{MODEL}.meta", "FileMLAssetImporter\n", "BinAssetImporter\n")
    assert_reported(files, f"{MODEL}.meta", "expected FileMLAssetImporter")


@pytest.mark.parametrize("path", [SCENE, TARGET, f"{MODEL}.meta"])
@pytest.mark.parametrize("content", [b"", b"- !<Scene", b"a: 1", b"\x00\xff", b"- &a 1\n- *a"])
def test_files_that_are_no_yaml_of_lens_studio(good, path, content):
    assert_reported({**good, path: content}, path, "does not begin|not readable|anchors")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.replace(b"\n", b"\r\n"), "Windows line ends"),
        (lambda content: b"\xef\xbb\xbf" + content, "byte order mark"),
    ],
)
def test_what_editors_do_to_text(good, change, problem):
    assert_reported({**good, SCENE: change(good[SCENE])}, SCENE, problem, "warning")


@pytest.mark.parametrize(
    ("path", "line", "problem"),
    [
        (f"{SCRIPT}.meta", "  PackageType: .*\n", "AssetImportMetadata/.* lacks PackageType"),
        (SCENE, "  Near: .*\n", "Camera/.* lacks Near"),
        (TARGET, "  DepthBuffer: .*\n", "RenderTarget/.* lacks DepthBuffer"),
        (SCENE, r"(?<=    Rotation:) .*", "TransformEntity lacks Rotation"),
    ],
)
def test_a_line_that_is_missing(good, path, line, problem):
    assert_reported(edited(good, path, line, ""), path, problem, "warning")


# ---- Scene --------------------------------------------------------------------------------------


def test_an_output_that_is_not_set(good):
    files = edited(
        good, SCENE, r"RenderOutput: !<reference> \S+", f"RenderOutput: !<reference> {NIL}"
    )
    assert_reported(files, SCENE, "RenderOutput is not set")
    assert_reported(
        edited(good, SCENE, r"  RenderOutput: .*\n", ""), SCENE, "RenderOutput is not set"
    )


def test_an_output_that_is_no_render_target(good):
    output = rf"\1 {_asset_id(good, MODEL)}"
    files = edited(good, SCENE, r"(RenderOutput: !<reference>) \S+", output)
    assert_reported(files, SCENE, "RenderOutput is a FileMLAsset")


def test_a_camera_without_render_target(good):
    files = edited(
        good, SCENE, r"RenderTarget: !<reference> \S+", f"RenderTarget: !<reference> {NIL}"
    )
    assert_reported(files, SCENE, "no enabled camera has a render target")


def test_a_reference_to_nothing(good):
    files = edited(good, SCENE, _asset_id(good, MODEL), IDS[0])
    assert_reported(files, SCENE, "nothing in the project defines", "warning")
    assert_reported(files, SCENE, "input 'model' is nothing", "error")


def test_a_reference_to_the_file_in_place_of_the_asset(good):
    files = edited(good, SCENE, _asset_id(good, MODEL), _file_id(good, MODEL))
    assert_reported(files, SCENE, f"{MODEL}.meta gives to the file itself")


def test_an_owned_entity_that_is_not_there(good):
    files = edited(good, SCENE, r"(?m)^- !<Camera/\S+>", f"- !<Camera/{IDS[0]}>")
    assert_reported(files, SCENE, "owns an entity")
    assert_reported(files, SCENE, "belongs to no object", "warning")


def test_an_entity_with_two_owners(good):
    files = edited(
        good,
        SCENE,
        r"(    - !<own> \S+\n)(?=- !<ScriptComponent)|(    - !<own> \S+\n)\Z",
        r"\1\2\1\2",
    )
    assert_reported(files, SCENE, "has 2 owners")


def test_a_script_component_without_script(good):
    files = edited(good, SCENE, r"ScriptAsset: .*", f"ScriptAsset: !<reference> {NIL}")
    assert_reported(files, SCENE, "has no script", "warning")
    wrong = edited(good, SCENE, r"(ScriptAsset: !<reference>) .*", rf"\1 {_asset_id(good, MODEL)}")
    assert_reported(wrong, SCENE, "is a FileMLAsset")


def test_an_input_that_the_script_does_not_declare(good):
    files = edited(good, SCENE, r"      model:", "      modell:")
    assert_reported(files, SCENE, "sets 'modell', which is no //@input", "warning")


def test_an_input_of_the_wrong_kind(good):
    files = edited(good, SCENE, _asset_id(good, MODEL), _asset_id(good, TARGET))
    assert_reported(files, SCENE, "input 'model' is a RenderTarget, expected MLAsset")


def test_an_empty_model_field(good):
    files = edited(good, SCENE, _asset_id(good, MODEL), NIL)
    assert_reported(files, SCENE, "input 'model' is empty", "warning")


def test_a_vector_that_is_none(good):
    files = edited(good, SCENE, r"Position: {x: 0.000000,", "Position: {x: zero,")
    assert_reported(files, SCENE, "Position is {x: zero")


def test_a_render_target_with_an_unknown_clear_option(good):
    files = edited(good, TARGET, r"ClearColorOption: .*", "ClearColorOption: Picture")
    assert_reported(files, TARGET, "ClearColorOption is 'Picture'")


# ---- Scripts ------------------------------------------------------------------------------------


def _with_script(files, source: str) -> dict[str, bytes]:
    return with_asset(
        files, "Assets/More.js", source.encode(), "JavaScriptAsset", "JavaScriptAssetImporter"
    )


@pytest.mark.parametrize(
    "source",
    [
        'const c = require("./NelfController");\n',
        'const c = require("./NelfController.js");\n',
        'const c = require("NelfController");\n',
        'const m = require("LensStudio:RemoteServiceModule");\n',
        '// require("./gone")\n/* require("./gone") */ print("require(\'./gone\')");\n',
        'const m = requireAsset("./model.onnx");\n',
        "const name = './x'; const m = require(name);\n",
    ],
)
def test_requires_that_resolve(good, source):
    assert lint_lens_project(_with_script(good, source)) == ()


@pytest.mark.parametrize(
    "call", ["require('./gone')", 'requireAsset("../gone.png")', 'require("Gone")']
)
def test_a_required_file_that_is_not_there(good, call):
    assert_reported(
        _with_script(good, f"\nconst x = {call};\n"), "Assets/More.js", "line 2: .*no such file"
    )


def test_a_space_in_a_required_path(good):
    source = 'const t = requireAsset("./Render Target.renderTarget");\n'
    assert_reported(_with_script(good, source), "Assets/More.js", "space in its path", "warning")


@needs_node
def test_a_script_that_does_not_parse(good):
    files = {**good, SCRIPT: good[SCRIPT] + b"\nfunction (\n"}
    assert_reported(files, SCRIPT, "does not parse: .* in line")


@needs_node
def test_scripts_are_parsed_and_never_run(tmp_path):
    written = tmp_path / "written"
    source = f"require('fs').writeFileSync({str(written)!r}, 'x'); return script.api;"
    assert syntax_problems((source, "let a = ;")) == ("", "Unexpected token ';' in line 1")
    assert not written.exists()


def test_without_node_nothing_is_said_of_syntax(good, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert lint_lens_project({**good, SCRIPT: good[SCRIPT] + b"\nfunction (((\n"}) == ()


def test_inputs_of_a_script():
    lines = (
        b'//@input Asset.MLAsset model {"hint":"x"}',
        b"  // @input float[] sizes",
        b"//@input vec2 p = {1,2}",
    )
    inputs = script_inputs(b"\n".join(lines))
    assert {name: found.type for name, found in inputs.items()} == {
        "model": "MLAsset", "sizes": "float[]", "p": "vec2",
    }  # fmt: skip


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
