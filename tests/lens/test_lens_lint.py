"""The linter of Lens Studio projects: silent on good ones, a finding for each known mistake."""

from __future__ import annotations

import functools
import json
import re
import shutil

import onnx
import pytest
from onnx import TensorProto, helper
from students_for_tests import random_checkpoint

from mobile_nelf.deploy.exporter import ExportOptions
from mobile_nelf.errors import InputError
from mobile_nelf_exporters import lens_lint_files
from mobile_nelf_exporters.lens_lint import check_lens_files, check_lens_folder, lint_lens_project
from mobile_nelf_exporters.lens_lint_scripts import script_inputs, syntax_problems
from mobile_nelf_exporters.lens_studio import LensStudioExporter
from mobile_nelf_exporters.lens_yaml import parse_lens_yaml

ROOT = "lens_project/"
NIL = "00000000-0000-0000-0000-000000000000"
SCENE, MODEL, SCRIPT = "Assets/Scene.scene", "Assets/model.onnx", "Assets/NelfController.js"
SMALL = "Assets/small.onnx"
TARGET = "Assets/Render Target.renderTarget"
TINY = {"depth": 4, "width": 8, "sr_widths": (8,), "ray_width": 4, "ray_height": 3}

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="scripts are parsed by Node, and there is none on PATH"
)


def _generated(layout: str, experience: str = "orbit", **student) -> dict[str, bytes]:
    """A project as the exporter makes it, paths relative to its folder."""
    checkpoint = random_checkpoint(**{**TINY, **student})
    options = ExportOptions(layout=layout, experience=experience)
    exported = LensStudioExporter().export(checkpoint, "Thing", options)
    return {
        path.removeprefix(ROOT): content
        for path, content in exported.files.items()
        if path.startswith(ROOT)
    }


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    return _generated("rays")


@pytest.fixture(autouse=True, scope="module")
def quick_yaml():
    """Parses each text once: all files of an edited project but one are as they were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lens_lint_files, "parse_lens_yaml", functools.cache(parse_lens_yaml))
        yield


def _edited(files, path, pattern, replacement, count=1) -> dict[str, bytes]:
    content, changes = re.subn(pattern, replacement, files[path].decode(), count=count)
    assert changes, f"{pattern} is not in {path}"
    return {**files, path: content.encode()}


def _without(files, *paths) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path not in paths}


def _reports(files, path, problem, severity="error") -> None:
    """Asserts that a finding about `path` says `problem`."""
    findings = lint_lens_project(files)
    matching = [f for f in findings if f.path == path and re.search(problem, f.problem)]
    assert [f.severity for f in matching[:1]] == [severity], findings
    assert all(f.advice for f in findings)


@pytest.mark.parametrize(
    ("layout", "experience"),
    [
        *((layout, "orbit") for layout in ("factored", "rays", "camera", "embedded")),
        *((layout, "world") for layout in ("factored", "rays", "embedded")),
    ],
)
@pytest.mark.parametrize("channels", [3, 4])
def test_a_generated_project_has_no_findings(layout, experience, channels):
    check = check_lens_files(_generated(layout, experience, out_channels=channels))
    assert check.findings == ()
    assert check.passed
    assert check.project == "Thing.esproj"
    assert check.models.keys() == {MODEL, SMALL}


def test_a_project_within_other_files(good):
    files = {f"a/b/{path}": content for path, content in _without(good, f"{SCENE}.meta").items()}
    check = check_lens_files({**files, "README.md": b"", "model.onnx": b"x"}, "a/b")
    assert check.project == "a/b/Thing.esproj"
    assert {finding.path for finding in check.findings} <= files.keys()
    assert not check.passed


# ---- Projects made by hand ----------------------------------------------------------------------

META = """- !<AssetImportMetadata/{file}>
  ImportedAssetIds:
    {kind}: !<reference> {asset}
  ImporterName: {importer}
  PrimaryAsset: !<reference> {asset}
  PackageType: NotAPackage
  LegacyPackagePolicy: ~
  ExtraData:
    {{}}
  AssetDataMap:
    {{}}
  DependentFiles:
    []
  ImporterSettings: !<AssetImporterSettings>
    {{}}
  CompressionSettings: !<own> 00000000-0000-0000-0000-000000000000
"""
IDS = (
    "6c1b7d0e-52a4-4f6e-9d3b-8f02c7a1e594",
    "f3a90b62-1d7c-48e5-b246-05e9d8c73a1f",
    "b85e2c19-7f40-4d3a-8e61-92ac4f07d35b",
    "0d47f8a3-c6b1-42e9-a507-e31f96b28c4d",
)


def _with_asset(files, path, content, kind, importer, ids=IDS[:2]) -> dict[str, bytes]:
    meta = META.format(file=ids[0], asset=ids[1], kind=kind, importer=importer)
    return {**files, path: content, f"{path}.meta": meta.encode()}


def _by_hand(files) -> dict[str, bytes]:
    """What a user adds in Lens Studio: a folder, a texture, TypeScript, a component, a text."""
    files = _with_asset(
        files, "Assets/My Art/Cat.png", b"\x89PNG", "Texture", "FileTextureImporter"
    )
    files = _with_asset(
        files,
        "Assets/Scripts/Spin.ts",
        b'import {SIK} from "SpectaclesInteractionKit.lspkg/SIK"\r\n@component\nclass Spin {}\n',
        "TypeScriptAsset",
        "TypeScriptAssetImporter",
        IDS[2:],
    )
    files = _edited(
        files,
        SCENE,
        r"(?m)^- !<ScriptComponent/",
        "- !<FutureComponent/ab03d2f7-64c9-4e18-b75a-2f9e10c8d463>\n  Name: unknown to us\n"
        "  Texture: !<reference.Texture> f3a90b62-1d7c-48e5-b246-05e9d8c73a1f\n"
        "  Objects: !<reference.SceneObject[]>\n    []\n"
        "  Text: Drop me\u2028(hold)\n  ColorMask: {x: true, y: true, z: true, w: false}\n"
        "- !<ScriptComponent/",
    )
    files = _edited(
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
    files = _edited(
        _by_hand(good), SCENE, re.escape(texture), texture.replace("f3a90b62", "a1b2c3d4")
    )
    _reports(files, SCENE, "which nothing in the project defines", "warning")
    assert lint_lens_project({**files, "Packages/Kit.lspkg": b"\x00packed"}) == ()


def test_a_text_asset_of_an_unknown_type_is_left_alone(good):
    files = _with_asset(good, "Assets/Notes.weird", b"- a\n- b: [", "Strange", "StrangeImporter")
    assert lint_lens_project(files) == ()


@pytest.mark.parametrize(
    "studio", [("14", "328", "13.580000", "75"), ("22", "364", "13.94", "101")]
)
def test_other_versions_of_lens_studio_5(good, studio):
    minor, core, client, checkpoint = studio
    files = _edited(good, "Thing.esproj", r"minor: 15", f"minor: {minor}")
    files = _edited(files, "Thing.esproj", r"coreVersion: .*", f"coreVersion: {core}")
    files = _edited(files, "Thing.esproj", r"clientVersion: .*", f"clientVersion: {client}")
    files = _edited(
        files, "Thing.esproj", r"updateCheckpoint: .*", f"updateCheckpoint: {checkpoint}"
    )
    files = _edited(files, "Thing.esproj", r"metaInfo:\n", "targetPlatform: Snapchat\nmetaInfo:\n")
    assert lint_lens_project(files) == ()


# ---- Project file -------------------------------------------------------------------------------


def test_no_project_file(good):
    _reports(_without(good, "Thing.esproj"), "", "expected one .esproj file, found none")


def test_two_project_files(good):
    _reports({**good, "B.esproj": good["Thing.esproj"]}, "", "found .*B.esproj")


@pytest.mark.parametrize("key", ["clientVersion", "  lensName", "metaInfo", "  documentId"])
def test_a_sparse_project_file(good, key):
    files = _edited(good, "Thing.esproj", rf"(?m)^{key}:.*\n", "")
    _reports(files, "Thing.esproj", f"lacks .*{key.strip()}|not readable")


def test_a_scene_id_that_is_no_scene(good):
    files = _edited(good, "Thing.esproj", r"sceneId: .*", f"sceneId: {IDS[0]}")
    _reports(files, "Thing.esproj", "is no scene")


# ---- Metas and ids ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_missing_meta(good, path):
    _reports(_without(good, f"{path}.meta"), path, r"has no .*\.meta")


@pytest.mark.parametrize("path", [SCENE, MODEL, SCRIPT, TARGET])
def test_a_meta_without_its_file(good, path):
    _reports(_without(good, path), f"{path}.meta", "which is missing")


def _asset_id(files, path) -> str:
    return re.search(r"PrimaryAsset: !<reference> (\S+)", files[f"{path}.meta"].decode())[1]


def _file_id(files, path) -> str:
    return re.search(r"AssetImportMetadata/([^>]+)", files[f"{path}.meta"].decode())[1]


def test_file_and_asset_with_one_id(good):
    files = _edited(good, f"{MODEL}.meta", _file_id(good, MODEL), _asset_id(good, MODEL))
    _reports(files, f"{MODEL}.meta", "file and asset have the same id")


def test_two_files_with_one_id(good):
    files = _edited(good, f"{SCRIPT}.meta", _file_id(good, SCRIPT), _file_id(good, MODEL))
    _reports(files, f"{MODEL}.meta", "already")


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
    _reports(files, f"{MODEL}.meta", "placeholder", "warning")


@pytest.mark.parametrize("identity", ["model", "123", "1fa76071-6107-52be-a243-f48992e7c37g"])
def test_a_malformed_id(good, identity):
    files = {
        p: c.replace(_asset_id(good, MODEL).encode(), identity.encode()) for p, c in good.items()
    }
    _reports(files, f"{MODEL}.meta", "is no UUID")


def test_ids_counted_by_hand(good):
    files = good
    for path, last in ((MODEL, "0001"), (SCRIPT, "0002")):
        old, new = _file_id(good, path), f"7d3b91e6-a5c0-4f28-b64e-19c8d27f{last}"
        files = _edited(files, f"{path}.meta", old, new)
    _reports(files, f"{MODEL}.meta", "differ in their last digits", "warning")


def test_a_native_file_that_its_meta_calls_otherwise(good):
    files = _edited(good, TARGET, _asset_id(good, TARGET), IDS[0])
    _reports(files, f"{TARGET}.meta", "the file itself is")


def test_a_wrong_importer(good):
    files = _edited(good, f"{MODEL}.meta", "FileMLAssetImporter\n", "BinAssetImporter\n")
    _reports(files, f"{MODEL}.meta", "expected FileMLAssetImporter")


@pytest.mark.parametrize("path", [SCENE, TARGET, f"{MODEL}.meta"])
@pytest.mark.parametrize("content", [b"", b"- !<Scene", b"a: 1", b"\x00\xff", b"- &a 1\n- *a"])
def test_files_that_are_no_yaml_of_lens_studio(good, path, content):
    _reports({**good, path: content}, path, "does not begin|not readable|anchors")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda content: content.replace(b"\n", b"\r\n"), "Windows line ends"),
        (lambda content: b"\xef\xbb\xbf" + content, "byte order mark"),
    ],
)
def test_what_editors_do_to_text(good, change, problem):
    _reports({**good, SCENE: change(good[SCENE])}, SCENE, problem, "warning")


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
    _reports(_edited(good, path, line, ""), path, problem, "warning")


# ---- Scene --------------------------------------------------------------------------------------


def test_an_output_that_is_not_set(good):
    files = _edited(
        good, SCENE, r"RenderOutput: !<reference> \S+", f"RenderOutput: !<reference> {NIL}"
    )
    _reports(files, SCENE, "RenderOutput is not set")
    _reports(_edited(good, SCENE, r"  RenderOutput: .*\n", ""), SCENE, "RenderOutput is not set")


def test_an_output_that_is_no_render_target(good):
    output = rf"\1 {_asset_id(good, MODEL)}"
    files = _edited(good, SCENE, r"(RenderOutput: !<reference>) \S+", output)
    _reports(files, SCENE, "RenderOutput is a FileMLAsset")


def test_a_camera_without_render_target(good):
    files = _edited(
        good, SCENE, r"RenderTarget: !<reference> \S+", f"RenderTarget: !<reference> {NIL}"
    )
    _reports(files, SCENE, "no enabled camera has a render target")


def test_a_reference_to_nothing(good):
    files = _edited(good, SCENE, _asset_id(good, MODEL), IDS[0])
    _reports(files, SCENE, "nothing in the project defines", "warning")
    _reports(files, SCENE, "input 'model' is nothing", "error")


def test_a_reference_to_the_file_in_place_of_the_asset(good):
    files = _edited(good, SCENE, _asset_id(good, MODEL), _file_id(good, MODEL))
    _reports(files, SCENE, f"{MODEL}.meta gives to the file itself")


def test_an_owned_entity_that_is_not_there(good):
    files = _edited(good, SCENE, r"(?m)^- !<Camera/\S+>", f"- !<Camera/{IDS[0]}>")
    _reports(files, SCENE, "owns an entity")
    _reports(files, SCENE, "belongs to no object", "warning")


def test_an_entity_with_two_owners(good):
    files = _edited(
        good,
        SCENE,
        r"(    - !<own> \S+\n)(?=- !<ScriptComponent)|(    - !<own> \S+\n)\Z",
        r"\1\2\1\2",
    )
    _reports(files, SCENE, "has 2 owners")


def test_a_script_component_without_script(good):
    files = _edited(good, SCENE, r"ScriptAsset: .*", f"ScriptAsset: !<reference> {NIL}")
    _reports(files, SCENE, "has no script", "warning")
    wrong = _edited(good, SCENE, r"(ScriptAsset: !<reference>) .*", rf"\1 {_asset_id(good, MODEL)}")
    _reports(wrong, SCENE, "is a FileMLAsset")


def test_an_input_that_the_script_does_not_declare(good):
    files = _edited(good, SCENE, r"      model:", "      modell:")
    _reports(files, SCENE, "sets 'modell', which is no //@input", "warning")


def test_an_input_of_the_wrong_kind(good):
    files = _edited(good, SCENE, _asset_id(good, MODEL), _asset_id(good, TARGET))
    _reports(files, SCENE, "input 'model' is a RenderTarget, expected MLAsset")


def test_an_empty_model_field(good):
    files = _edited(good, SCENE, _asset_id(good, MODEL), NIL)
    _reports(files, SCENE, "input 'model' is empty", "warning")


def test_a_vector_that_is_none(good):
    files = _edited(good, SCENE, r"Position: {x: 0.000000,", "Position: {x: zero,")
    _reports(files, SCENE, "Position is {x: zero")


def test_a_render_target_with_an_unknown_clear_option(good):
    files = _edited(good, TARGET, r"ClearColorOption: .*", "ClearColorOption: Picture")
    _reports(files, TARGET, "ClearColorOption is 'Picture'")


# ---- Scripts ------------------------------------------------------------------------------------


def _with_script(files, source: str) -> dict[str, bytes]:
    return _with_asset(
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
    _reports(
        _with_script(good, f"\nconst x = {call};\n"), "Assets/More.js", "line 2: .*no such file"
    )


def test_a_space_in_a_required_path(good):
    source = 'const t = requireAsset("./Render Target.renderTarget");\n'
    _reports(_with_script(good, source), "Assets/More.js", "space in its path", "warning")


@needs_node
def test_a_script_that_does_not_parse(good):
    files = {**good, SCRIPT: good[SCRIPT] + b"\nfunction (\n"}
    _reports(files, SCRIPT, "does not parse: .* in line")


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


# ---- Models -------------------------------------------------------------------------------------


def test_a_pointer_of_git_lfs(good):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    _reports({**good, MODEL: pointer}, MODEL, "pointer of Git LFS")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff" * 50])
def test_a_model_that_is_none(good, content):
    _reports({**good, MODEL: content}, MODEL, "not an ONNX model")


@pytest.mark.parametrize(
    ("pattern", "replacement", "problem"),
    [
        (r"Name: rays", "Name: ray", "Inputs are ray, the model has rays"),
        (r"Name: output", "Name: out", "Outputs are out, the model has output"),
        (
            r"x: 4.000000, y: 3.000000, z: 6",
            "x: 3.000000, y: 4.000000, z: 6",
            "'rays' is 3 × 4 × 6",
        ),
        (r"z: 6.000000", "z: 7.000000", "'rays' is 4 × 3 × 7, the model has 4 × 3 × 6"),
        (r"          - scale: 1.000000000\n.*\n", "", "'rays' has 5 normalisations"),
        (r"scale: 255.000000", "scale: 1.000000", "'output' is scaled by 1 with bias 0"),
        (r"scale: 1.000000", "scale: 2.000000", "'rays' is scaled by 2"),
        (r"bias: 0.000000", "bias: 0.500000", "bias 0.5"),
        (r"scale: 1.000000", "scale: many", "no number"),
        (r"flipY: false", "flipY: true", "flipY True"),
        (r"rotation: None", "rotation: Rotate90", "rotation 'Rotate90'"),
        (r'InputName: ""', "InputName: picture", "'picture' is no input"),
    ],
)
def test_a_meta_that_disagrees_with_the_model(good, pattern, replacement, problem):
    _reports(_edited(good, f"{MODEL}.meta", pattern, replacement), f"{MODEL}.meta", problem)


def test_a_model_of_another_shape(good):
    other = _generated("rays", ray_width=5)
    _reports({**good, MODEL: other[MODEL]}, f"{MODEL}.meta", "'rays' is 4 × 3 × 6, the model has 5")


def _model(shape, operator="Sigmoid", opset=11, extra=()) -> bytes:
    graph = helper.make_graph(
        [helper.make_node(operator, ["rays", *(t.name for t in extra)], ["output"])],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        initializer=list(extra),
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()


def _constant(shape) -> onnx.TensorProto:
    size = 1
    for axis in shape:
        size *= axis
    return helper.make_tensor("k", TensorProto.FLOAT, shape, [0.5] * size)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_model([1, 3, 2, 2], opset=13), "Opset 13"),
        (_model([1, "c", 2, 2]), "dynamic along axis 1"),
        (_model([3, 2, 2]), "rank 3, expected rank 4"),
        (_model([1, 3, 2, 2], "Erf"), "Operator Erf has no SnapML layer"),
        (_model([1, 3, 2, 2], "Mul", extra=[_constant([])]), "rank 0"),
        (_model([1, 3, 2, 2], "Mul", extra=[_constant([3, 1, 1])]), "rank 3"),
    ],
)
def test_a_model_that_lens_studio_does_not_import(good, content, problem):
    _reports({**good, MODEL: content}, MODEL, problem)


def test_two_models_that_are_too_large_together(good):
    weights = helper.make_tensor(
        "k", TensorProto.FLOAT, [1800, 1800, 1, 1], b"\x00\x00\x80\x3f" * 1800 * 1800, raw=True
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["rays", "k"], ["output"])],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, [1, 1800, 1, 1])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1800, 1, 1])],
        initializer=[weights],
    )
    opsets = [helper.make_opsetid("", 11)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()
    one = _with_asset(good, "Assets/A.onnx", content, "FileMLAsset", "FileMLAssetImporter")
    assert not any("MB" in finding.problem for finding in lint_lens_project(one))
    two = _with_asset(one, "Assets/B.onnx", content, "FileMLAsset", "FileMLAssetImporter", IDS[2:])
    _reports(two, "", "4 models of 12.7 MB after import")


def test_a_foreign_model_in_the_unit_range_should_be_scaled(good):
    files = _edited(good, f"{MODEL}.meta", r"scale: 255.000000", "scale: 1.000000", count=0)
    files = _edited(
        files, f"{MODEL}.meta", r"Shape: {x: 8.000000, y: 14.0", "Shape: {x: 4.000000, y: 3.0"
    )
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["rays", "k"], ["c"]),
            helper.make_node("Sigmoid", ["c"], ["output"]),
        ],
        "g",
        [helper.make_tensor_value_info("rays", TensorProto.FLOAT, [1, 6, 3, 4])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, 3, 4])],
        initializer=[helper.make_tensor("k", TensorProto.FLOAT, [3, 6, 1, 1], [0.5] * 18)],
    )
    opsets = [helper.make_opsetid("", 11)]
    content = helper.make_model(graph, opset_imports=opsets, ir_version=6).SerializeToString()
    files = {**files, MODEL: content}
    assert not [f for f in lint_lens_project(files) if f.severity == "error" and MODEL in f.path]
    _reports(files, f"{MODEL}.meta", "shown as a texture it is black", "warning")


# ---- What our script expects of its models ------------------------------------------------------


def _with_contract(files, **changes) -> dict[str, bytes]:
    entry = {
        "input": "model",
        "inputs": [{"name": "rays", "shape": [4, 3, 6]}],
        "output": {"name": "output", "shape": [8, 14, 3]},
        **changes,
    }
    source = "// Generated.\nmodule.exports = " + json.dumps({"models": [entry]}, indent=1) + ";\n"
    files = _without(files, "Assets/NelfContract.js", "Assets/NelfContract.js.meta")
    return _with_asset(
        files,
        "Assets/NelfContract.js",
        source.encode(),
        "JavaScriptAsset",
        "JavaScriptAssetImporter",
    )


def test_a_contract_that_fits_its_model(good):
    assert lint_lens_project(_with_contract(good)) == ()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"input": "other"}, "names a model 'other'"),
        ({"inputs": []}, "its inputs are , those of Assets/model.onnx are rays"),
        ({"inputs": [{"name": "rays", "shape": [3, 4, 6]}]}, r"'rays' is \[3, 4, 6\]"),
        ({"output": {"name": "picture", "shape": [8, 6, 3]}}, "no tensor 'picture'"),
    ],
)
def test_a_contract_that_does_not_fit_its_model(good, changes, problem):
    _reports(_with_contract(good, **changes), "Assets/NelfContract.js", problem)


@pytest.mark.parametrize(
    "source", [b"module.exports = {", b"module.exports = {a: 1};", b"print(1)"]
)
def test_a_contract_that_cannot_be_read(good, source):
    files = _with_contract(good)
    _reports({**files, "Assets/NelfContract.js": source}, "Assets/NelfContract.js", "object")


# ---- Folders ------------------------------------------------------------------------------------


def _write(files, folder) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def test_folders_of_projects_and_bundles(good, tmp_path):
    _write(_without(good, f"{SCENE}.meta"), tmp_path / "bundle" / "lens_project")
    _write({"Assets/x.js": b"(", "a.onnx": b"x"}, tmp_path / "bundle" / "lens_project" / "Cache")
    bundle = check_lens_folder(tmp_path / "bundle")
    project = check_lens_folder(tmp_path / "bundle" / "lens_project")
    assert bundle.project == "lens_project/Thing.esproj"
    assert [f"lens_project/{f.path}" for f in project.findings] == [f.path for f in bundle.findings]
    assert not project.passed


def test_a_folder_without_a_project(tmp_path):
    with pytest.raises(InputError, match=r"expected a checkpoint, .*\.esproj"):
        check_lens_folder(tmp_path)
