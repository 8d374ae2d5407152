"""The scripts of a lens against our declarations of Lens Studio's API, by TypeScript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mobile_nelf.assets import asset_dir
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.player.session import RUNTIME, LensSession
from mobile_nelf_exporters.lens.project import render_lens_project
from mobile_nelf_exporters.lens.studio.scripts import script_inputs
from tests.helpers.lens.contracts import (
    LAYOUT_NAMES,
    cut_out_contract,
    lens_contract,
)
from tests.helpers.lens.host_projects import TYPESCRIPT
from tests.helpers.lens.lenses import make_lens
from tests.helpers.lens.typescript import TSC, needs_typescript

DECLARATIONS = RUNTIME / "lens-studio.d.ts"

pytestmark = needs_typescript

CONTROLLER = "Assets/NelfController.js"
CONFIGURATION = {
    "compilerOptions": {
        "allowJs": True,
        "checkJs": True,
        "noEmit": True,
        "strict": True,
        "noUnusedLocals": True,
        # What Lens Studio runs, without a browser's or Node's own names.
        "target": "es2019",
        "lib": ["es2019"],
        "module": "commonjs",
        "types": [],
    },
    "include": ["*.d.ts", "*/Assets/*.js"],
}
#: Types of inputs; assets can be missing.
INPUT_TYPES = {
    "Asset.MLAsset": "MLAsset | null",
    "Asset.Material": "Material | undefined",
    "Asset.Texture": "Texture | null",
    "Component.Camera": "Camera | null",
    "bool": "boolean",
    "float": "number",
    "string": "string",
}
INPUT = re.compile(r"^//@input (\S+) (\w+)", re.MULTILINE)

#: Layout and experience by folder.
PROJECTS = {
    f"{layout}-{experience}": (layout, experience)
    for layout in LAYOUT_NAMES
    for experience in ("orbit", "world")
}
FIRST = next(iter(PROJECTS))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scripts of every project, each in a folder of its own, with what the compiler needs."""
    for name, (layout, experience) in PROJECTS.items():
        contract = cut_out_contract(layout) if experience == "world" else lens_contract(layout)
        rendered = render_lens_project([(contract, b""), (contract, b"")], "Mic", experience)
        for path, content in project_files(rendered).items():
            if path.endswith(".js"):
                target = tmp_path / name / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    declared = INPUT.findall((tmp_path / FIRST / CONTROLLER).read_text())
    inputs = "".join(f"    {name}: {INPUT_TYPES[kind]};\n" for kind, name in declared)
    (tmp_path / "inputs.d.ts").write_text(f"interface ScriptComponent {{\n{inputs}}}\n")
    shutil.copy(DECLARATIONS, tmp_path)
    (tmp_path / "tsconfig.json").write_text(json.dumps(CONFIGURATION))
    return tmp_path


def _complaints(folder: Path) -> list[str]:
    done = subprocess.run(
        ["node", str(TSC), "--pretty", "false"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return done.stdout.splitlines()


def test_scripts_keep_to_the_declarations(folder):
    assert _complaints(folder) == []


#: A change to a script of ours by what the compiler says to it.
MISTAKES = {
    "'vec2'": ("NelfTouch.js", "event.getTouchPosition()", "event.getTouchPosition().z"),
    "'runSchedule'": ("NelfModel.js", "runScheduled", "runSchedule"),
    "'data' because it is a read-only": (
        "NelfModel.js",
        "model.inputs[placeholder.name] = placeholder.data;",
        "placeholder.data = new Float32Array(3);",
    ),
    "'modell'": ("NelfController.js", "!script.model", "!script.modell"),
    "'balRadius'": ("NelfWorld.js", "contract.ballRadius", "contract.balRadius"),
    "'document'": ("NelfController.js", "math.flat(", "document.flat("),
    '"TouchBeginEvent"': ("NelfController.js", '"TouchStartEvent"', '"TouchBeginEvent"'),
}


def test_mistakes_are_found(folder):
    for name, old, new in MISTAKES.values():
        path = folder / FIRST / "Assets" / name
        text = path.read_text()
        assert old in text, name
        path.write_text(text.replace(old, new, 1))
    complaints = _complaints(folder)
    for said in MISTAKES:
        assert any(said in line for line in complaints), (said, complaints)


PACKAGE = "lens_project/Assets/Mic.lspkg"
#: What TypeScript in Lens Studio has beside the scripting API.
COMPONENTS = """
declare function component(type: Function): void;
declare function input(type?: string): (target: object, name: string) => void;
declare class BaseScriptComponent {
    createEvent<Name extends keyof EventNameMap>(type: Name): BoundEvent<EventNameMap[Name]>;
}
"""
#: What NelfObject.js adds to its component, and NelfObjectTypes.ts says of it.
ADDED = """interface ScriptComponent {
    isReady: boolean;
    onReady: import("./NelfSignal").Signal;
    onFailed: import("./NelfSignal").Signal;
    onPlaced: import("./NelfSignal").Signal;
    onTapped: import("./NelfSignal").Signal;
    place: (position: vec3) => void;
"""


def _written(files: dict[str, bytes], folder: Path, suffix: str) -> None:
    for path, content in files.items():
        if path.startswith(PACKAGE) and path.endswith(suffix):
            (folder / path.removeprefix(f"{PACKAGE}/")).write_bytes(content)


@pytest.fixture
def package(tmp_path: Path) -> tuple[dict[str, bytes], Path]:
    """Files of a package, and a folder for the compiler."""
    contract = cut_out_contract("rays")
    files = render_lens_project([(contract, b""), (contract, b"")], "Mic", "world", form="package")
    shutil.copy(DECLARATIONS, tmp_path)
    configuration = {**CONFIGURATION, "include": ["*.d.ts", "*.js", "*.ts"]}
    configuration["compilerOptions"]["experimentalDecorators"] = True
    (tmp_path / "tsconfig.json").write_text(json.dumps(configuration))
    return files, tmp_path


def test_scripts_of_a_package_keep_to_the_declarations(package):
    files, folder = package
    _written(files, folder, ".js")
    declared = INPUT.findall((folder / "NelfObject.js").read_text())
    assert len(declared) == 10
    inputs = "".join(f"    {name}: {INPUT_TYPES[kind]};\n" for kind, name in declared)
    (folder / "inputs.d.ts").write_text(f"{ADDED}{inputs}}}\n")
    assert _complaints(folder) == []


def test_types_of_a_package_fit_a_script_in_typescript(package):
    files, folder = package
    _written(files, folder, ".ts")
    (folder / "components.d.ts").write_text(COMPONENTS)
    source = TYPESCRIPT.replace("./Mic.lspkg/", "./").replace("mic: Nelf", "mic!: Nelf")
    (folder / "Host.ts").write_text(source)
    assert _complaints(folder) == []
    wrong = source.replace("position.z", "position.depth").replace(".onTapped", ".onTouched")
    (folder / "Host.ts").write_text(wrong)
    complaints = " ".join(_complaints(folder))
    assert "'depth'" in complaints
    assert "'onTouched'" in complaints


def test_types_of_a_package_name_what_its_script_has(package):
    files, _ = package
    typed = re.findall(r"^    (\w+)[:(]", files[f"{PACKAGE}/NelfObjectTypes.ts"].decode(), re.M)
    made = re.findall(r"^script\.(\w+) =", files[f"{PACKAGE}/NelfObject.js"].decode(), re.M)
    assert set(typed) - {"add", "remove"} == set(made)


TRACKING = 'owner.createComponent("Component.DeviceTracking")'
#: What makes an object of a declared type, in a script of the scene that runs in the room.
OBJECTS = {
    "BlendMode": "BlendMode",
    "Camera": "camera",
    "ClearColorOption": "ClearColorOption",
    "DeviceTracking": TRACKING,
    "DeviceTrackingMode": "DeviceTrackingMode",
    "HintsComponent": 'owner.createComponent("Component.HintsComponent")',
    "HorizontalOverflow": "HorizontalOverflow",
    "InputBuilder": "MachineLearning.createInputBuilder()",
    "InputPlaceholder": "model.component.getInputs()[0]",
    "MLComponent": "model.component",
    "MachineLearning": "MachineLearning",
    "MachineLearning.DataLayout": "MachineLearning.DataLayout",
    "MachineLearning.FrameTiming": "MachineLearning.FrameTiming",
    "MachineLearning.InferenceMode": "MachineLearning.InferenceMode",
    "MachineLearning.ModelState": "MachineLearning.ModelState",
    "MachineLearning.OutputMode": "MachineLearning.OutputMode",
    "OutputBuilder": "MachineLearning.createOutputBuilder()",
    "OutputPlaceholder": "model.component.getOutputs()[0]",
    "Material": "script.material",
    "MeshBuilder": "new MeshBuilder([])",
    "MeshIndexType": "MeshIndexType",
    "MeshTopology": "MeshTopology",
    "NativePlaneTrackingType": "NativePlaneTrackingType",
    "Pass": "script.material.mainPass",
    "Rect": "Rect.create(0, 1, 0, 1)",
    "RenderMeshVisual": 'owner.createComponent("Component.RenderMeshVisual")',
    "RenderTargetProvider": "camera.renderTarget.control",
    "SceneObject": "owner",
    "ScreenTransform": 'owner.createComponent("Component.ScreenTransform")',
    "ScriptComponent": "script",
    "ScriptScene": "global.scene",
    "Text": 'owner.createComponent("Component.Text")',
    "TextFill": 'owner.createComponent("Component.Text").textFill',
    "Texture": "camera.renderTarget",
    "TouchDataProvider": "global.touchSystem",
    "Transform": "owner.getTransform()",
    "TrackedPlaneOrientation": "TrackedPlaneOrientation",
    "TransformerBuilder": "MachineLearning.createTransformerBuilder()",
    "WorldOptions": f"{TRACKING}.worldOptions",
    "WorldTrackingCapabilities": f"{TRACKING}.worldTrackingCapabilities",
    "quat": "owner.getTransform().getWorldRotation()",
    "vec2": "new vec2(0, 0)",
    "vec3": "owner.getTransform().getWorldPosition()",
    "vec4": "camera.renderTarget.control.clearColor",
}
#: Tells [name, name of what it extends, members] of each type in a file.
PARSER = """
const [compiler, file] = process.argv.slice(1);
const ts = require(compiler);
const text = require("fs").readFileSync(file, "utf8");
const types = [];
(function visit(node, prefix) {
    const list = node.members || (node.body && node.body.statements);
    if (node.name && list) {
        const members = list.filter((item) => !(item.modifiers || []).some(({ kind }) =>
            kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.StaticKeyword));
        const named = members.map((item) =>
            (item.declarationList ? item.declarationList.declarations[0] : item).name);
        const [parent] = (node.heritageClauses || []).flatMap(({ types }) => types);
        types.push([prefix + node.name.text, parent ? parent.expression.text : null,
            named.filter(Boolean).map((name) => name.text)]);
        prefix = `${node.name.text}.`;
    }
    ts.forEachChild(node, (child) => visit(child, prefix));
})(ts.createSourceFile(file, text, ts.ScriptTarget.ES2019, true), "");
console.log(JSON.stringify(types));
"""


@pytest.fixture(scope="module")
def declared() -> dict[str, tuple[str | None, set[str]]]:
    """What each declared type extends, and its members without those that it inherits."""
    done = subprocess.run(
        ["node", "-e", PARSER, str(TSC.parents[1]), str(DECLARATIONS)],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: (parent, set(members)) for name, parent, members in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def simulated() -> dict[str, list[str]]:
    """Members of the runtime's objects."""
    names = ", ".join(f'"{name}": names({code})' for name, code in OBJECTS.items())
    lens = make_lens("rays").edited(
        CONTROLLER,
        "function onDrawn() {",
        "function onDrawn() { const names = (o) => Object.getOwnPropertyNames(o);"
        f" print(JSON.stringify({{ {names} }}));",
    )
    with LensSession(with_material(lens.files), screen=(90, 160)) as session:
        session.start()
        session.update()
        members: dict[str, list[str]] = json.loads(session.printed[-1])
        return members


@pytest.mark.parametrize("name", OBJECTS)
def test_runtime_and_declarations_have_the_same_members(name, declared, simulated):
    parent, own = declared[name]
    inherited: set[str] = set()
    while parent:
        parent, more = declared[parent]
        inherited |= more
    found = set(simulated[name])
    if name == "ScriptComponent":
        # Its inputs are declared by whoever has them.
        found -= set(script_inputs((asset_dir("lens_project") / CONTROLLER).read_bytes()))
    assert found
    assert found - inherited == own
