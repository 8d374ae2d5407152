"""A Lens Studio project as the plain data that the JavaScript side of the runtime reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.player.model import LensModel
from mobile_nelf_exporters.lens.studio.assets import Asset
from mobile_nelf_exporters.lens.studio.project import LensProject
from mobile_nelf_exporters.lens.studio.scene import Component, SceneObject
from mobile_nelf_exporters.lens.studio.scripts import script_inputs
from mobile_nelf_exporters.lens.studio.yaml import (
    Tagged,
    defined_entities,
    field_of,
    reference_id,
)

__all__ = ["plain_project"]

#: Lens Studio names this one otherwise in its files than in its API.
CLEAR_COLOUR_NAMES = {"BackgroundTexture": "Background"}


def plain_project(project: LensProject, models: Mapping[str, LensModel]) -> dict[str, Any]:
    """Returns sources, assets and objects, every reference resolved.

    Args:
        project: to run.
        models: of its ML assets, by asset id.

    Raises:
        BundleError: a reference of the scene does not resolve.
    """
    return {
        "renderOutput": _known(project, project.render_output, project.scene_path),
        # Lens Studio loads a script only through its asset.
        "sources": {
            asset.path: _text(project, asset)
            for asset in project.assets.values()
            if asset.path.endswith(".js")
        },
        "assets": [_asset(project, asset, models) for asset in project.assets.values()],
        "objects": [plain for root in project.objects for plain in _objects(project, root)],
    }


def _text(project: LensProject, asset: Asset) -> str:
    try:
        return project.files[asset.path].decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{asset.path}: is not UTF-8 ({error.reason})") from error


def _asset(project: LensProject, asset: Asset, models: Mapping[str, LensModel]) -> dict[str, Any]:
    plain: dict[str, Any] = {"id": asset.id, "kind": asset.kind, "path": asset.path}
    plain["isCamera"] = asset.path.endswith(".deviceCameraTexture")
    if asset.kind == "FileMLAsset":
        model = models[asset.id]
        plain["problem"] = model.problem
        for key, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
            plain[key] = [
                {
                    "name": tensor.name,
                    "shape": tensor.shape,
                    "flipX": tensor.flip_x,
                    "flipY": tensor.flip_y,
                    "texture": _known(project, tensor.texture, f"{asset.path}.meta"),
                }
                for tensor in tensors
            ]
    elif asset.kind == "RenderTarget":
        plain |= _render_target(project, asset)
    elif asset.path.endswith(".screenCropTexture"):
        plain["crop"] = _crop(project, asset)
    return plain


def _crop(project: LensProject, asset: Asset) -> dict[str, Any]:
    values = project.entity(asset).value
    try:
        if float(values["Rotation"]) != 0.0:
            raise BundleError(f"{asset.path}: is turned, which is not simulated")
        return {
            "input": _known(project, reference_id(values["InputTexture"]), asset.path),
            "rect": {
                side: float(values["Cropping"][side]) for side in ("left", "right", "bottom", "top")
            },
        }
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{asset.path}: is not a crop of a texture ({error!r})") from error


def _render_target(project: LensProject, asset: Asset) -> dict[str, Any]:
    values = project.entity(asset).value
    try:
        option = str(values["ClearColorOption"])
        return {
            "useScreenResolution": bool(values["UseScreenResolution"]),
            "resolution": [int(values["Resolution"][axis]) for axis in "xy"],
            "clearColorOption": CLEAR_COLOUR_NAMES.get(option, option),
            "clearColor": [float(values["ClearColor"][axis]) for axis in "xyzw"],
            "inputTexture": _known(project, reference_id(values["InputTexture"]), asset.path),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{asset.path}: is not a render target ({error!r})") from error


def _objects(
    project: LensProject, root: SceneObject, enabled: bool = True, parent: str | None = None
) -> list[dict[str, Any]]:
    """The object and all below it; `enabled` says whether its parents are."""
    enabled = enabled and root.enabled
    components = [_component(project, component, enabled) for component in root.components]
    plain: list[dict[str, Any]] = [
        {
            "id": root.id,
            "name": root.name,
            "components": components,
            "parent": parent,
            "place": _place(project, root),
        }
    ]
    for child in root.children:
        plain += _objects(project, child, enabled, root.id)
    return plain


def _place(project: LensProject, item: SceneObject) -> dict[str, Any]:
    """Where an object is within its parent; nobody says in which order angles are applied."""
    entities = defined_entities(project.documents[project.scene_path])
    transform = field_of(entities[item.id], "LocalTransform")
    place = {}
    for key, name, default in (("Position", "position", 0.0), ("Scale", "scale", 1.0)):
        place[name] = [_number(field_of(transform, key, axis), default) for axis in "xyz"]
    if any(_number(field_of(transform, "Rotation", axis), 0.0) for axis in "xyz"):
        place["rotation"] = _about_one_axis(
            [_number(field_of(transform, "Rotation", axis), 0.0) for axis in "xyz"], item.name
        )
    return place


def _about_one_axis(degrees: list[float], name: str) -> list[float]:
    """w, x, y, z of a turn about one axis."""
    if sum(angle != 0.0 for angle in degrees) > 1:
        raise BundleError(f"object {name!r} is turned about several axes, which is not simulated")
    half = math.radians(sum(degrees)) / 2
    return [math.cos(half), *(math.sin(half) if angle else 0.0 for angle in degrees)]


def _number(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _component(project: LensProject, component: Component, enabled: bool) -> dict[str, Any]:
    values = component.values
    plain: dict[str, Any] = {
        "id": component.id,
        "kind": component.kind,
        "enabled": enabled and values.get("Enabled") is not False,
    }
    if component.kind == "Camera":
        target = _known(project, reference_id(values.get("RenderTarget")), project.scene_path)
        if target is None:
            raise BundleError(f"{project.scene_path}: the camera does not draw to a render target")
        fov = values.get("Fov")
        if not isinstance(fov, float | int):
            raise BundleError(f"{project.scene_path}: the camera's Fov is {fov}, not a number")
        plain |= {
            "renderTarget": target,
            "fov": fov,
            "isOrthographic": values.get("CameraType") == "Orthographic",
            "near": _number(values.get("Near"), 1.0),
            "renderOrder": _number(values.get("RenderOrder"), 0.0),
            "size": _number(values.get("Size"), 20.0),
        }
    elif component.kind == "ScriptComponent":
        script = project.assets.get(reference_id(values.get("ScriptAsset")))
        if script is None:
            raise BundleError(f"{project.scene_path}: a script component has no script")
        plain |= {"script": script.path, "inputs": _inputs(project, script, values)}
    return plain


def _inputs(project: LensProject, script: Asset, values: dict[str, Any]) -> dict[str, Any]:
    """Values of what a script declares; those that the scene does not have are the script's."""
    given = values.get("ScriptInputs") or {}
    given = given.get("") if isinstance(given, dict) else None
    given = given if isinstance(given, dict) else {}
    inputs: dict[str, Any] = {}
    for name, declared in script_inputs(project.files[script.path]).items():
        if declared.is_reference:
            identity = reference_id(given.get(name))
            if identity in _scene_parts(project):
                inputs[name] = {"part": identity}
            else:
                inputs[name] = {"asset": _known(project, identity, project.scene_path)}
        else:
            value = given.get(name, _default(declared.default))
            inputs[name] = {"value": float(value.value) if isinstance(value, Tagged) else value}
    return inputs


def _scene_parts(project: LensProject) -> set[str]:
    """Ids of the objects and components of the scene that opens."""
    parts: set[str] = set()

    def collect(item: SceneObject) -> None:
        parts.update((item.id, *(component.id for component in item.components)))
        for child in item.children:
            collect(child)

    for root in project.objects:
        collect(root)
    return parts


def _default(text: str) -> Any:
    if text in ("true", "false", ""):
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text.strip("\"'")


def _known(project: LensProject, asset_id: str, path: str) -> str | None:
    """The id of an asset that exists; None for no reference."""
    if not asset_id:
        return None
    if asset_id not in project.assets:
        raise BundleError(f"{path}: refers to {asset_id}, which is not the id of an asset")
    return asset_id
