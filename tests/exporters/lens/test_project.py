"""The files of the generated Lens Studio project: references, ids, metas, names."""

from __future__ import annotations

import collections
import re
import sys
import uuid
from typing import Any

import onnx
import pytest
import yaml

from mobile_nelf.assets import asset_dir
from mobile_nelf.errors import InputError, MissingExtraError
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.guesses import guesses
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import MODEL_PATH, project_files
from mobile_nelf_exporters.lens.project import (
    LAYERS_ID,
    SCENE_ID,
    render_lens_project,
    render_lens_readme,
)
from mobile_nelf_exporters.lens.studio.yaml import (
    NIL,
    Tagged,
    parse_lens_yaml,
    references,
    tagged_nodes,
)
from mobile_nelf_exporters.names import is_lens_name, lens_name_of
from tests.helpers.lens.contracts import FULL_ORBIT, LAYOUT_NAMES, cut_out_contract, lens_contract
from tests.helpers.students import random_checkpoint

MODEL = b"stands for an ONNX file"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOT_YAML = (".js", ".onnx", ".gitignore")


def _defined(document: Any) -> list[str]:
    return [node.id for node in tagged_nodes(document) if node.id]


#: Layout and experience of a project, and how many models it has.
PROJECTS = {
    "factored": ("factored", "orbit", 2),
    "rays": ("rays", "orbit", 1),
    "camera": ("camera", "orbit", 1),
    "embedded": ("embedded", "orbit", 1),
    "factored, in the room": ("factored", "world", 1),
    "rays, in the room": ("rays", "world", 2),
}


@pytest.fixture(scope="module", params=PROJECTS)
def project(request):
    """Models, as `render_lens_project` takes them, and experience."""
    layout, experience, count = PROJECTS[request.param]
    contract = cut_out_contract(layout) if experience == "world" else lens_contract(layout)
    return [(contract, MODEL), (contract, b"a smaller one")][:count], experience


@pytest.fixture(scope="module")
def contract(project):
    return project[0][0][0]


@pytest.fixture(scope="module")
def files(project):
    models, experience = project
    return render_lens_project(models, "Mic", experience)


@pytest.fixture(scope="module")
def documents(files):
    return {
        path: parse_lens_yaml(content, path)
        for path, content in project_files(files).items()
        if not path.endswith(NOT_YAML)
    }


def render(contract, name="Mic"):
    """A project in orbit with one model."""
    return render_lens_project([(contract, MODEL)], name)


def _readme(contract, experience="orbit"):
    return render_lens_readme([(contract, MODEL)], "Mic", experience).decode()


def _asset_ids(documents: dict[str, Any]) -> dict[str, str]:
    """Asset id by asset path, from the metas."""
    return {
        path.removesuffix(".meta"): document[0].value["PrimaryAsset"].value
        for path, document in documents.items()
        if path.endswith(".meta")
    }


def test_required_files_are_there(files):
    assert {"lens_project/Mic.esproj", "lens_project/Assets/Scene.scene"} <= files.keys()
    assert files[MODEL_PATH] == MODEL
    assert list(files) == sorted(files)


def test_static_files_are_copied_verbatim(files):
    static = asset_dir("lens_project")
    paths = list((static / "Assets").glob("*.js"))
    assert len(paths) >= 8
    for path in paths:
        assert files[f"lens_project/Assets/{path.name}"] == path.read_bytes()


def test_the_script_of_the_layout_fills_the_inputs(files, contract):
    script = asset_dir("lens_project") / "uploads" / f"{contract.layout}.js"
    assert files["lens_project/Assets/NelfUploads.js"] == script.read_bytes()
    assert not any("uploads/" in path for path in files)


def test_the_linter_finds_nothing_but_the_missing_models(files):
    findings = lint_lens_project(files, folder="lens_project")
    assert {finding.path for finding in findings} <= {
        path for path in files if path.endswith(".onnx")
    }
    assert findings, "the bytes that stand for a model are none"


def test_every_asset_has_a_meta_and_every_meta_an_asset(files):
    assets = {path for path in files if path.startswith("lens_project/Assets/")}
    metas = {path for path in assets if path.endswith(".meta")}
    assert {f"{path}.meta" for path in assets - metas} == metas


def test_owned_entities_are_in_the_same_file(documents):
    for path, document in documents.items():
        owned = {n.value for n in tagged_nodes(document) if n.tag == "own" and n.value != NIL}
        assert owned <= set(_defined(document)), path


def test_references_name_assets(documents):
    assets = set(_asset_ids(documents).values())
    referenced = {found for document in documents.values() for _, found in references(document)}
    assert referenced
    # The controller has the camera for its messages.
    assert referenced <= assets | set(_defined(documents["Assets/Scene.scene"]))


def test_file_and_asset_have_different_ids(documents):
    for path, document in documents.items():
        if path.endswith(".meta"):
            header = document[0]
            (imported,) = header.value["ImportedAssetIds"].values()
            assert header.tag.startswith("AssetImportMetadata/")
            assert imported == header.value["PrimaryAsset"]
            assert header.tag.partition("/")[2] != imported.value


def test_native_files_carry_the_id_of_their_meta(documents):
    natives = [path for path in documents if path.startswith("Assets/") and "meta" not in path]
    assert len(natives) == 4
    for path in natives:
        assert documents[path][0].tag.partition("/")[2] == _asset_ids(documents)[path]


def test_project_scene_and_meta_agree(documents):
    assert documents["Mic.esproj"]["sceneId"] == SCENE_ID
    assert _asset_ids(documents)["Assets/Scene.scene"] == SCENE_ID
    scene = documents["Assets/Scene.scene"][0]
    assert scene.tag == f"Scene/{SCENE_ID}"
    assert scene.value["layers"].tag == f"Layers/{LAYERS_ID}"
    assert documents["Mic.esproj"]["metaInfo"]["lensName"] == "Mic"


def test_scene_draws_to_the_render_target_and_feeds_the_script(documents):
    assets = _asset_ids(documents)
    scene = {node.tag.partition("/")[0]: node.value for node in documents["Assets/Scene.scene"]}
    target = assets["Assets/Render Target.renderTarget"]
    assert scene["Scene"]["RenderOutput"].value == target
    assert scene["Scene"]["RenderPreviewOutput"].value == target
    assert scene["Camera"]["RenderTarget"].value == target
    script = scene["ScriptComponent"]
    assert script["ScriptAsset"].value == assets["Assets/NelfController.js"]
    inputs = script["ScriptInputs"][""]
    assert inputs["model"] == Tagged("reference.MLAsset", assets["Assets/model.onnx"])
    small = assets.get("Assets/small.onnx", assets["Assets/model.onnx"])
    assert inputs["smallModel"] == Tagged("reference.MLAsset", small)
    crop = assets["Assets/Nelf Colour.screenCropTexture"]
    assert inputs["colourCrop"] == Tagged("reference.Texture", crop)


def test_entities_below_the_scene_are_sorted(documents):
    ids = [node.tag.partition("/")[2] for node in documents["Assets/Scene.scene"]]
    assert ids[1:] == sorted(ids[1:])


def test_script_inputs_are_the_same_everywhere(documents, files):
    source = files["lens_project/Assets/NelfController.js"].decode()
    names = re.findall(r"^//@input \S+ (\w+)", source, re.MULTILINE)
    data = documents["Assets/NelfController.js.meta"][1].value
    scene = {node.tag.partition("/")[0]: node.value for node in documents["Assets/Scene.scene"]}
    assert names == [
        "model",
        "smallModel",
        "material",
        "statusCamera",
        "pictureCamera",
        "colourCrop",
        "maskCrop",
        "shadow",
        "flipY",
        "showFps",
    ]
    assert list(data["DefaultScriptInputs"][0]) == names
    assert list(data["ScriptInputsHidden"]) == names
    assert list(scene["ScriptComponent"]["ScriptInputs"][""]) == names


def test_ids_are_unique(documents):
    ids = [identifier for document in documents.values() for identifier in _defined(document)]
    ids += [documents["Mic.esproj"]["metaInfo"]["documentId"]]
    ids += [documents["Assets/NelfController.js.meta"][1].value["ComponentUid"]]
    ids += [
        identifier
        for path, identifier in _asset_ids(documents).items()
        if path.endswith((".js", ".onnx"))
    ]
    # A native asset states its id in its own file as well; `_defined` sees that one only.
    repeated = [identifier for identifier, count in collections.Counter(ids).items() if count > 1]
    assert repeated == []


def test_ids_are_hashes_not_patterns(files):
    text = b"\n".join(
        content for path, content in files.items() if not path.endswith(NOT_YAML)
    ).decode()
    ids = set(UUID.findall(text)) - {NIL, SCENE_ID, LAYERS_ID}
    assert len(ids) > 10
    for identifier in ids:
        assert uuid.UUID(identifier).version == 5
        assert len(set(identifier)) > 8, identifier


def test_same_input_same_bytes_other_name_other_ids(project, files):
    models, experience = project
    assert render_lens_project(models, "Mic", experience) == files
    other = render_lens_project(models, "Chair", experience)
    own = set(UUID.findall(files["lens_project/Assets/Scene.scene"].decode()))
    others = set(UUID.findall(other["lens_project/Assets/Scene.scene"].decode()))
    assert own & others == {NIL, SCENE_ID, LAYERS_ID}


def test_model_meta_follows_the_contract(contract, documents):
    settings = documents["Assets/model.onnx.meta"][0].value["ImporterSettings"]
    assert settings.tag == "FileMLAssetImporterSettings"
    inputs = [node.value for node in settings.value["Inputs"]]
    (output,) = (node.value for node in settings.value["Outputs"])
    described = [*inputs, output]
    specs = [*contract.inputs, contract.output]
    assert [entry["Name"] for entry in described] == [spec.name for spec in specs]
    for entry, spec in zip(described, specs, strict=True):
        _, channels, rows, columns = spec.shape
        assert entry["Shape"] == {"x": columns, "y": rows, "z": channels}
        scales = [entry["scale"] for entry in entry["Normalizations"]]
        # Nine digits, which is what float32 holds.
        assert scales == pytest.approx([1.0] * channels, abs=5e-10)
        assert [entry["bias"] for entry in entry["Normalizations"]] == [0.0] * channels


@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_meta_and_model_of_an_exported_student_agree(layout):
    exported = LensStudioExporter().export(
        random_checkpoint(sr_widths=(8,)), "Mic", Options(layout=layout)
    )
    graph = onnx.load_from_string(exported.files[MODEL_PATH]).graph
    meta = parse_lens_yaml(exported.files[f"{MODEL_PATH}.meta"], "meta")
    settings = meta[0].value["ImporterSettings"].value
    described = {
        node.value["Name"]: node.value["Shape"] for node in settings["Inputs"] + settings["Outputs"]
    }
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert described == {
        name: {"x": columns, "y": rows, "z": channels}
        for name, (_, channels, rows, columns) in shapes.items()
    }


def test_four_channels_get_four_normalisations():
    files = render(lens_contract("rays", channels=4))
    meta = parse_lens_yaml(files["lens_project/Assets/model.onnx.meta"], "meta")
    (output,) = meta[0].value["ImporterSettings"].value["Outputs"]
    assert output.value["Normalizations"] == [{"scale": 1.0, "bias": 0.0}] * 4


def test_background_is_shown_until_the_model_has_run(documents, project):
    target = documents["Assets/Render Target.renderTarget"][0].value
    in_room = project[1] == "world"
    assert target["ClearColorOption"] == ("BackgroundTexture" if in_room else "CustomColor")
    assert target["ClearColor"] == {"x": 1.0, "y": 1.0, "z": 1.0, "w": 1.0}


def test_text_files_have_unix_line_ends_and_end_in_one(files):
    for path, content in files.items():
        if path.endswith(".onnx"):
            continue
        assert b"\r" not in content, path
        assert content.endswith(b"\n"), path
        assert not content.endswith(b"\n\n"), path


@pytest.mark.parametrize("name", ["true", "null", "No", "a" * 64, "Mic-2_b"])
def test_names_that_yaml_could_misread_stay_text(name):
    files = render(lens_contract("camera"), name)
    shown = yaml.safe_load(files[f"lens_project/{name}.esproj"])["metaInfo"]["lensName"]
    assert shown == lens_name_of(name)
    assert is_lens_name(shown)


def test_the_lens_may_be_called_otherwise_than_the_project():
    models = [(lens_contract("camera"), b"")]
    files = render_lens_project(models, "mic", lens_name="Null 1")
    assert yaml.safe_load(files["lens_project/mic.esproj"])["metaInfo"]["lensName"] == "Null 1"
    readme = render_lens_readme(models, "mic", lens_name="Null 1").decode()
    assert readme.lstrip().startswith("# Null 1: ")
    assert "Snap accepts `Null 1` as the name" in readme


@pytest.mark.parametrize(
    "name", ["", "my lens", "7up", "../up", "a/b", "a" * 65, "Mïc", "x\n", '{{ "x" }}', "-x"]
)
def test_other_names_are_refused(name):
    with pytest.raises(InputError, match="lens project name"):
        render(lens_contract("camera"), name)


def test_missing_jinja2_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"mobile-nelf\[lens\]"):
        render(lens_contract("camera"))


def test_readme_names_files_that_exist_and_every_tensor(project, contract, files):
    models, experience = project
    readme = render_lens_readme(models, "Mic", experience).decode()
    for path in re.findall(r"`(lens_project/[^`]+[^/`])`", readme):
        assert path in files
    for spec in (*contract.inputs, contract.output):
        assert f"`{spec.name}`" in readme
    assert [int(n) for n in re.findall(r"^(\d)\. ", readme, re.MULTILINE)] == [1, 2, 3, 4, 5]
    assert "\n\n\n" not in readme
    assert "azimuth -40° to 75°" in readme
    assert ("small.onnx" in readme) == (len(models) > 1)
    told = {key for key, guess in guesses().items() if guess in readme}
    assert told == guesses(experience).keys()
    assert ("stretch" in told, "tracking" in told) == (experience == "orbit", experience == "world")
    assert not told & {"package", "prefab"}


def test_readme_tells_what_depends_on_the_contract():
    full = _readme(lens_contract("rays", FULL_ORBIT))
    assert "all the way round" in full
    assert "alpha" not in full.partition("## To confirm")[0]
    assert "alpha" in _readme(lens_contract("rays", channels=4))
    room = _readme(cut_out_contract("rays"), "world")
    assert "walk round" in room
    assert "has no alpha" not in room
    assert "walk round" not in full
