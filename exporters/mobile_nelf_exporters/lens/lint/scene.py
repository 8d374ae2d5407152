"""Scenes and prefabs of a Lens Studio project: objects, cameras, render targets, components."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.findings import error, warning
from mobile_nelf_exporters.lens.studio.project import SCENE_SUFFIX, LensProject
from mobile_nelf_exporters.lens.studio.scripts import SCALARS, ScriptInput, script_inputs
from mobile_nelf_exporters.lens.studio.yaml import (
    Tagged,
    defined_entities,
    field_of,
    owned_ids,
    reference_id,
)

__all__ = ["check_scenes"]

RENDER_TARGET_SUFFIX = ".renderTarget"
PREFAB_SUFFIX = ".prefab"

#: How a render target is cleared.
CLEAR_OPTIONS = (
    "None",
    "BackgroundTexture",
    "CustomColor",
    "CustomTexture",
    "LegacyClearColorEnable",
)

#: Type of an input by kind of asset or entity. Only what stands here is judged.
TYPES = {
    "Camera": "Camera",
    "FileMLAsset": "MLAsset",
    "JavaScriptAsset": "ScriptAsset",
    "Material": "Material",
    "ObjectPrefab": "ObjectPrefab",
    "RenderTarget": "Texture",
    "Scene": "Scene",
    "SceneObject": "SceneObject",
    "ScriptComponent": "ScriptComponent",
    "Texture": "Texture",
    "TypeScriptAsset": "ScriptAsset",
}
SCRIPT_KINDS = ("JavaScriptAsset", "TypeScriptAsset")


def check_scenes(project: LensProject) -> Iterator[Finding]:
    """Finds what is wrong with scenes and render targets."""
    for path, entities in project.documents.items():
        yield from _check_vectors(path, entities)
        if path.endswith(SCENE_SUFFIX) and entities[0].kind == "Scene":
            yield from _check_scene(project, path, entities)
        elif path.endswith(RENDER_TARGET_SUFFIX):
            yield from _check_render_target(path, entities[0])
        elif path.endswith(PREFAB_SUFFIX):
            here = defined_entities(entities)
            for entity in entities:
                if entity.kind == "ScriptComponent":
                    yield from _check_script_component(project, path, entity, here)


def _check_vectors(path: str, entities: list[Tagged]) -> Iterator[Finding]:
    """Positions, colours and sizes, wherever they stand."""
    for name, value in _mappings(entities):
        if "x" not in value or "y" not in value:
            continue
        # A colour mask has a switch for each channel.
        switches = all(isinstance(part, bool) for part in value.values())
        numbers = switches or all(map(_is_number, value.values()))
        if not value.keys() <= set("xyzw") or not numbers:
            found = ", ".join(f"{key}: {part}" for key, part in value.items())
            yield error(
                path, f"{name} is {{{found}}}, expected numbers x, y, …", "correct the numbers"
            )


def _mappings(node: Any, name: str = "") -> Iterator[tuple[str, dict[Any, Any]]]:
    """Yields every mapping at or below a node, with the key under which it stands."""
    if isinstance(node, Tagged):
        yield from _mappings(node.value, name or node.kind)
    elif isinstance(node, dict):
        yield name, node
        for key, value in node.items():
            yield from _mappings(value, str(key))
    elif isinstance(node, list):
        for value in node:
            yield from _mappings(value, name)


def _is_number(value: Any) -> bool:
    value = value.value if isinstance(value, Tagged) else value
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def _check_scene(project: LensProject, path: str, entities: list[Tagged]) -> Iterator[Finding]:
    here = defined_entities(entities)
    owned = set(owned_ids(entities))
    for entity in entities[1:]:
        if entity.id not in owned:
            yield warning(
                path,
                f"{entity.kind} {entity.id} does not belong to an object, so it does nothing",
                "remove it, or add it to an object's Components or Children",
            )
    cameras = [entity for entity in entities if entity.kind == "Camera"]
    drawing = [c for c in cameras if field_of(c, "Enabled") is not False]
    if not any(reference_id(field_of(camera, "RenderTarget")) for camera in drawing):
        yield error(
            path,
            "no enabled camera has a render target, so nothing is drawn",
            "set the camera's Render Target to the one that is the scene's RenderOutput",
        )
    for camera in cameras:
        identity = reference_id(field_of(camera, "RenderTarget"))
        kind = project.asset_kinds.get(identity)
        if identity and kind != "RenderTarget" and not _may_be_packaged(project, kind):
            yield error(
                path,
                f"camera {camera.id} draws to {_named(kind)}, expected a RenderTarget",
                "choose a render target for it",
            )
        elif not identity:
            yield warning(
                path,
                f"camera {camera.id} has no render target, so it draws nothing",
                "choose a render target for it, or remove the camera",
            )
        fov = field_of(camera, "Fov")
        if fov is not None and (isinstance(fov, bool) or not isinstance(fov, (int, float))):
            yield error(
                path,
                f"camera {camera.id} has the Fov {str(fov)!r}, expected degrees",
                "enter the field of view again in Lens Studio",
            )
    for entity in entities:
        if entity.kind == "ScriptComponent":
            yield from _check_script_component(project, path, entity, here)


def _may_be_packaged(project: LensProject, kind: str | None) -> bool:
    """Whether an asset of that kind may come from a package; its kind is unknown then."""
    return not kind and project.has_packages


def _named(kind: str | None) -> str:
    return f"a {kind}" if kind else "nothing that the project defines"


def _check_render_target(path: str, target: Tagged) -> Iterator[Finding]:
    option = field_of(target, "ClearColorOption")
    if option is not None and option not in CLEAR_OPTIONS:
        yield error(
            path,
            f"ClearColorOption is {str(option)!r}, expected {', '.join(CLEAR_OPTIONS)}",
            "choose one of them",
        )
    if option == "CustomTexture" and not reference_id(field_of(target, "InputTexture")):
        yield warning(
            path,
            "is cleared with a texture and has none, so its colour is used",
            "set InputTexture, or ClearColorOption to CustomColor",
        )
    if field_of(target, "UseScreenResolution") is not True:
        for axis in "xy":
            size = field_of(target, "Resolution", axis)
            if isinstance(size, bool) or not isinstance(size, (int, float)) or size <= 0:
                yield error(
                    path, f"Resolution.{axis} is {size!r}, expected pixels", "enter a resolution"
                )


def _check_script_component(
    project: LensProject, path: str, component: Tagged, here: dict[str, Tagged]
) -> Iterator[Finding]:
    name = f"script component {str(field_of(component, 'Name'))!r}"
    script = reference_id(field_of(component, "ScriptAsset"))
    if not script:
        yield warning(
            path, f"{name} has no script", "choose its script in Lens Studio, or remove it"
        )
        return
    kind = project.asset_kinds.get(script)
    if kind not in SCRIPT_KINDS and not _may_be_packaged(project, kind):
        yield error(path, f"the script of {name} is {_named(kind)}", "choose a script")
        return
    asset = project.asset_with(script)
    if asset is None or not asset.path.endswith(".js"):
        return
    declared = script_inputs(project.files.get(asset.path, b""))
    for key, value in _input_values(component):
        if key in declared:
            yield from _check_input(
                project, path, f"{name}, input {key!r}", declared[key], value, here
            )
        else:
            yield warning(
                path,
                f"{name} sets {key!r}, which is not an //@input of {asset.path}",
                "declare it in the script, or save the project in Lens Studio to drop it",
            )


def _input_values(component: Tagged) -> list[tuple[str, Any]]:
    groups = field_of(component, "ScriptInputs")
    values = groups.get("") if isinstance(groups, dict) else None
    return [(str(k), v) for k, v in values.items()] if isinstance(values, dict) else []


def _check_input(
    project: LensProject,
    path: str,
    name: str,
    declared: ScriptInput,
    value: Any,
    here: dict[str, Tagged],
) -> Iterator[Finding]:
    plain = value.value if isinstance(value, Tagged) and value.tag in SCALARS else value
    if declared.is_scalar:
        if declared.type != "string" and not _is_scalar(plain, declared.type):
            yield error(
                path,
                f"{name} is {str(plain)!r}, expected a {declared.type}",
                "enter the value again in Lens Studio",
            )
        return
    identity = reference_id(value)
    if not identity:
        # An MLAsset has no default that would do.
        if declared.type == "MLAsset" and not declared.optional:
            yield warning(
                path,
                f"{name} is empty, expected an MLAsset",
                "drag the model from the Asset Browser onto the field",
            )
        return
    kind = here[identity].kind if identity in here else project.asset_kinds.get(identity)
    if kind is None and declared.type == "MLAsset" and not _may_be_packaged(project, kind):
        yield error(path, f"{name} is {_named(kind)}, expected an MLAsset", "choose a model for it")
        return
    kind = kind or ""
    found = TYPES.get(kind)
    if found is not None and declared.type in TYPES.values() and found != declared.type:
        yield error(
            path, f"{name} is a {kind}, expected {declared.type}", "choose another asset for it"
        )


def _is_scalar(value: Any, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    return _is_number(value) and (kind == "float" or float(value) == int(float(value)))
