"""Lenses that exist, and what happens when a package is dragged into them."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.player.material import with_material
from mobile_nelf_exporters.lens.project import render_lens_project
from mobile_nelf_exporters.lens.studio.yaml import NIL
from tests.helpers.lens.contracts import cut_out_contract
from tests.helpers.lens.lenses import GRID
from tests.helpers.lens.lint_projects import META
from tests.helpers.students import random_checkpoint

__all__ = ["HOSTS", "TYPESCRIPT", "Package", "dragged", "make_package", "transpiled"]

SCENE = "Assets/Scene.scene"
NAMESPACE = uuid.UUID("5b0f6c1e-93a4-4d27-8e50-c1d2a7f4b683")
ENTITY = r"(?ms)^- !<{kind}/[^>]+>\n.*?(?=^- |\Z)"

#: What a lens with scripts of its own does, and says of what it finds in every frame.
WORLD_SCRIPT = """//@input Component.Camera camera
//@input Component.ScriptComponent mic
"use strict";
const target = script.camera.renderTarget.control;
const tracking = script.camera.getSceneObject().getComponent("Component.DeviceTracking");
let moved = false;
global.touchSystem.touchBlocking = false;
target.clearColorOption = ClearColorOption.Background;
tracking.requestDeviceTrackingMode(DeviceTrackingMode.World);
script.createEvent("OnStartEvent").bind(function () {
    script.mic.onReady.add(function () { print("ready"); });
    script.mic.onTapped.add(function () { print("tapped"); });
    script.mic.onPlaced.add(function (at) {
        print("placed " + [at.x, at.y, at.z].map(Math.round));
    });
    script.mic.onFailed.add(function (reason) { print("failed: " + reason); });
});
script.createEvent("TouchStartEvent").bind(function () {
    print("touched");
    if (script.mic.isReady && !moved) {
        moved = true;
        script.mic.place(new vec3(10, -50, -100));
    }
});
script.createEvent("UpdateEvent").bind(function () {
    print(JSON.stringify({
        blocking: global.touchSystem.touchBlocking,
        cleared: target.clearColorOption,
        texture: target.inputTexture === null,
        tracked: tracking.getRequestedDeviceTrackingMode(),
        meshes: tracking.worldOptions.enableWorldMeshesTracking,
        planes: tracking.worldOptions.nativePlaneTrackingType,
    }));
});
"""
TYPESCRIPT = """import { NelfObject } from "./Mic.lspkg/NelfObjectTypes"

@component
export class Host extends BaseScriptComponent {
    @input("Component.ScriptComponent")
    mic: NelfObject

    private taps: number = 0

    onAwake(): void {
        this.createEvent("OnStartEvent").bind(() => this.onStart())
    }

    private onStart(): void {
        this.mic.onReady.add(() => {
            print("ready")
            this.mic.place(new vec3(0, -20, -80))
        })
        this.mic.onPlaced.add((position: vec3) => print("placed " + position.z))
        this.mic.onTapped.add(() => {
            this.taps += 1
            print("taps: " + this.taps)
        })
    }
}
"""
#: What Lens Studio's compiler puts around a component in TypeScript, as far as hosts need it.
AROUND = """//@input Component.ScriptComponent mic
"use strict";
class BaseScriptComponent { createEvent(type) { return script.createEvent(type); } }
const component = (type) => type, input = () => () => undefined, exports = {};
%s
const instance = new exports.Host();
instance.mic = script.mic;
instance.onAwake();
"""


@dataclass(frozen=True)
class Package:
    """A package of a tiny student.

    Attributes:
        name: of the package.
        checkpoint: the student.
        contract: of its model.
        project: files of the lens around it.
    """

    name: str
    checkpoint: Checkpoint
    contract: Contract
    project: dict[str, bytes]

    @property
    def folder(self) -> str:
        """In the project."""
        return f"Assets/{self.name}.lspkg"

    @property
    def files(self) -> dict[str, bytes]:
        """What is copied into other lenses."""
        return {p: c for p, c in self.project.items() if p.startswith(f"{self.folder}/")}


@cache
def make_package(name: str = "Mic", seed: int = 0, size_cm: float = 30.0) -> Package:
    """Exports a random student with alpha."""
    checkpoint = random_checkpoint(seed, sr_widths=(8,), out_channels=4, activation="relu", **GRID)
    options = Options(layout="factored", form="package", size_cm=size_cm)
    exported = LensStudioExporter().export(checkpoint, name, options)
    return Package(name, checkpoint, exported.contract, project_files(exported.files))


def _empty() -> dict[str, bytes]:
    """A camera that stays where it is, and nothing else."""
    return _without(_world(), "DeviceTracking")


@cache
def _world() -> dict[str, bytes]:
    """A camera that follows the phone."""
    files = project_files(render_lens_project([(cut_out_contract("rays"), b"")], "Host", "world",
                                              form="package"))  # fmt: skip
    files = {path: text for path, text in files.items() if ".lspkg/" not in path}
    return _without(_without(files, "ScriptComponent"), "SceneObject", "  Name: Host\n")


def _without(files: dict[str, bytes], kind: str, having: str = "") -> dict[str, bytes]:
    """Takes an entity out of the scene, and what owns it out of lists."""
    scene = files[SCENE].decode()
    found = [m[0] for m in re.finditer(ENTITY.format(kind=kind), scene) if having in m[0]]
    assert len(found) == 1, (kind, having)
    identity = re.match(r"- !<\w+/([^>]+)>", found[0])[1]
    scene = scene.replace(found[0], "").replace(f"    - !<own> {identity}\n", "")
    scene = scene.replace("  Components:\n- ", "  Components:\n    []\n- ")
    return {**files, SCENE: scene.encode()}


#: Lenses of our own making, before anything is dragged in.
HOSTS = {"empty": _empty, "world": _world, "typescript": _world}


def _camera(scene: str) -> str:
    return re.search(r"^- !<Camera/([^>]+)>", scene, re.MULTILINE)[1]


def _own_id(role: str) -> str:
    return str(uuid.uuid5(NAMESPACE, role))


def dragged(
    host: dict[str, bytes],
    package: Package,
    place: tuple[float, float, float] | None = None,
    copy: int = 0,
    **inputs: str,
) -> dict[str, bytes]:
    """Copies a package into a project and drags its prefab into the scene, as README.md says.

    Args:
        host: files of the project.
        package: that is copied.
        place: of the object; where the package's own lens has it if `None`.
        copy: number of this one among several of the same package.
        inputs: of NelfObject, as YAML; camera and material are set.
    """
    prefab = package.files[f"{package.folder}/{package.name}.prefab"].decode()
    entities = re.split(r"(?m)^(?=- )", prefab)[2:]
    own = {
        identity: _own_id(f"{package.name}/{copy}/{identity}")
        for identity in re.findall(r"^- !<\w+/([^>]+)>", "".join(entities), re.MULTILINE)
    }
    text = "".join(entities)
    # The ids of the prototype stay: the instance remembers where it comes from.
    for identity, other in own.items():
        text = re.sub(rf"(!<\w+/|!<own> ){identity}", rf"\g<1>{other}", text)
    scene = host[SCENE].decode()
    x, y, z = place or _place(package)
    text = re.sub(r"Position: \{[^}]*\}", f"Position: {{x: {x:f}, y: {y:f}, z: {z:f}}}", text)
    text = text.replace(f"camera: !<reference.Camera> {NIL}",
                        f"camera: !<reference.Camera> {_camera(scene)}")  # fmt: skip
    for name, value in inputs.items():
        text, changes = re.subn(rf"(\n      {name}: ).*", rf"\g<1>{value}", text)
        assert changes == 1, name
    root = re.search(r"^- !<SceneObject/([^>]+)>", text, re.MULTILINE)[1]
    scene = scene.replace("  objects:\n", f"  objects:\n    - !<own> {root}\n", 1) + text
    return with_material({**host, **package.files, SCENE: scene.encode()})


def _place(package: Package) -> tuple[float, float, float]:
    own = re.search(
        rf"  Name: {package.name}\n.*?Position: \{{x: (\S+), y: (\S+), z: (\S+)\}}",
        package.project[SCENE].decode(),
        re.DOTALL,
    )
    x, y, z = map(float, own.groups())
    return x, y, z


def object_component(files: dict[str, bytes]) -> str:
    """Id of NelfObject in the scene."""
    scene = files[SCENE].decode()
    head = r"^- !<ScriptComponent/([^>]+)>\n  PrefabRemaps:\n    \[\]\n  Name: NelfObject$"
    return re.findall(head, scene, re.MULTILINE)[0]


def with_script(files: dict[str, bytes], path: str, source: bytes) -> dict[str, bytes]:
    """Adds a script of the lens itself, on an object of its own, with NelfObject as an input."""
    kind = "TypeScriptAsset" if path.endswith(".ts") else "JavaScriptAsset"
    meta = META.format(
        file=_own_id(f"{path} file"), asset=_own_id(path), kind=kind, importer=f"{kind}Importer"
    )
    scene = files[SCENE].decode()
    holder, component = _own_id(f"{path} object"), _own_id(f"{path} component")
    inputs = f"      mic: !<reference.ScriptComponent> {object_component(files)}\n"
    if b"Component.Camera" in source:
        inputs += f"      camera: !<reference.Camera> {_camera(scene)}\n"
    shared = "  PrefabRemaps:\n    []\n  Name: Host Script\n  Enabled: true\n"
    scene = scene.replace("  objects:\n", f"  objects:\n    - !<own> {holder}\n", 1)
    scene += (
        f"- !<SceneObject/{holder}>\n{shared}  Layers: 1\n  LocalTransform: !<TransformEntity>\n"
        "    Position: {x: 0.0, y: 0.0, z: 0.0}\n    Rotation: {x: 0.0, y: 0.0, z: 0.0}\n"
        "    Scale: {x: 1.0, y: 1.0, z: 1.0}\n    HasSegmentScaleCompensation: false\n"
        f"  Children:\n    []\n  Components:\n    - !<own> {component}\n"
        f"- !<ScriptComponent/{component}>\n{shared}"
        f"  ScriptAsset: !<reference> {_own_id(path)}\n  ScriptInputsDefault:\n    {{}}\n"
        f'  ScriptTypesDefault:\n    {{}}\n  ScriptInputs:\n    "":\n{inputs}'
        '  ScriptTypes:\n    "":\n      {}\n'
    )
    return {**files, path: source, f"{path}.meta": meta.encode(), SCENE: scene.encode()}


def transpiled(source: str, compiler: Path) -> bytes:
    """A component in TypeScript as JavaScript, by TypeScript itself."""
    program = (
        f"const ts = require({json.dumps(str(compiler))});"
        "const text = require('fs').readFileSync(0, 'utf8');"
        "process.stdout.write(ts.transpileModule(text, {compilerOptions: {target: 'es2019',"
        " module: 'commonjs', experimentalDecorators: true}}).outputText);"
    )
    done = subprocess.run(
        ["node", "-e", program], input=source, capture_output=True, encoding="utf-8", check=True
    )
    text = done.stdout.replace("Object.defineProperty(exports", "(() => 0)(exports")
    return (AROUND % text.replace('"use strict";\n', "")).encode()
