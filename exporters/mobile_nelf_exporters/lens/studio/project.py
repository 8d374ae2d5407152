"""Reads a Lens Studio project as Lens Studio would: assets by id, the scene, scripts and inputs.

Guess `open`: one that Lens Studio never saved is read like one that it did. Stops at the first
thing that does not resolve; `lens.lint` lists all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.studio.yaml import NIL, Tagged, parse_lens_yaml

__all__ = ["Asset", "Component", "LensProject", "SceneObject", "read_lens_project"]

META = ".meta"


@dataclass(frozen=True)
class Asset:
    """A file that Lens Studio knows through its meta.

    Attributes:
        path: relative to the project.
        id: of the asset, which scenes refer to; not that of the file.
        kind: `FileMLAsset`, `JavaScriptAsset`, `Texture`, `RenderTarget`, …
        settings: the importer's.
    """

    path: str
    id: str
    kind: str
    settings: Any


@dataclass(frozen=True)
class Component:
    """A component of a scene object.

    Attributes:
        kind: `Camera`, `ScriptComponent`, …
        id: its uuid.
        values: its properties.
    """

    kind: str
    id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class SceneObject:
    """An object of the scene.

    Attributes:
        id: its uuid.
        name: as shown in the Scene Hierarchy.
        enabled: whether it takes part, as long as its parents do.
        components: in order.
        children: below it.
    """

    id: str
    name: str
    enabled: bool
    components: tuple[Component, ...]
    children: tuple[SceneObject, ...]


@dataclass(frozen=True)
class LensProject:
    """A project in memory.

    Attributes:
        name: of the `.esproj`.
        files: content by path relative to the project.
        assets: by asset id.
        scene_path: of the scene.
        objects: its roots.
        render_output: id of the render target that is on the screen.
    """

    name: str
    files: Mapping[str, bytes]
    assets: dict[str, Asset]
    scene_path: str
    objects: tuple[SceneObject, ...]
    render_output: str

    def entity(self, asset: Asset) -> Tagged:
        """Returns the first entity of a native asset, such as a render target.

        Raises:
            BundleError: the file is not a list of entities.
        """
        return _entities(self.files[asset.path], asset.path)[0]


def read_lens_project(files: Mapping[str, bytes]) -> LensProject:
    """Returns the project in `files`.

    Args:
        files: content by POSIX path relative to the project folder.

    Raises:
        BundleError: something is missing, malformed or does not resolve.
        MissingExtraError: PyYAML is not installed.
    """
    projects = [path for path in files if path.endswith(".esproj") and "/" not in path]
    if len(projects) != 1:
        raise BundleError(f"expected one .esproj file, found {', '.join(projects) or 'none'}")
    document = parse_lens_yaml(files[projects[0]], projects[0])
    if not isinstance(document, dict) or not isinstance(document.get("sceneId"), str):
        raise BundleError(f"{projects[0]}: has no sceneId; Lens Studio cannot open it")
    assets = _assets(files)
    scene = assets.get(document["sceneId"])
    if scene is None or scene.kind != "Scene":
        raise BundleError(f"{projects[0]}: sceneId {document['sceneId']} is not the id of a scene")
    entities = _entities(files[scene.path], scene.path)
    root = entities[0]
    if root.kind != "Scene" or root.id != scene.id:
        raise BundleError(f"{scene.path}: begins with {root.tag}, expected Scene/{scene.id}")
    by_id = {entity.id: entity for entity in entities[1:]}
    objects = tuple(
        _scene_object(by_id, node, scene.path) for node in _list(root, "objects", scene.path)
    )
    output = _reference(root.value.get("RenderOutput"))
    if output not in assets or assets[output].kind != "RenderTarget":
        raise BundleError(f"{scene.path}: RenderOutput is not a render target, nothing is shown")
    return LensProject(
        projects[0].removesuffix(".esproj"), files, assets, scene.path, objects, output
    )


def _assets(files: Mapping[str, bytes]) -> dict[str, Asset]:
    assets: dict[str, Asset] = {}
    for path, content in files.items():
        if not path.endswith(META):
            continue
        source = path.removesuffix(META)
        if source not in files:
            raise BundleError(f"{path}: is there without {source}")
        header = _entities(content, path)[0]
        ids = header.value.get("ImportedAssetIds")
        primary = _reference(header.value.get("PrimaryAsset"))
        named = ids.items() if isinstance(ids, dict) else ()
        kind = next((str(key) for key, value in named if _reference(value) == primary), None)
        if header.kind != "AssetImportMetadata" or kind is None:
            raise BundleError(f"{path}: PrimaryAsset {primary} is not among ImportedAssetIds")
        if primary in (header.id, NIL, ""):
            raise BundleError(
                f"{path}: the id of the asset must differ from the file's {header.id}"
            )
        if primary in assets:
            raise BundleError(f"{path}: id {primary} is also that of {assets[primary].path}")
        assets[primary] = Asset(source, primary, kind, header.value.get("ImporterSettings"))
    return assets


def _entities(content: bytes, path: str) -> list[Tagged]:
    """Entities of a file, each a mapping with a tag of type and id."""
    document = parse_lens_yaml(content, path)
    if (
        not isinstance(document, list)
        or not document
        or not all(
            isinstance(entity, Tagged) and entity.id and isinstance(entity.value, dict)
            for entity in document
        )
    ):
        raise BundleError(f"{path}: is not a list of Lens Studio entities")
    return document


def _list(entity: Tagged, key: str, path: str) -> list[Any]:
    value = entity.value.get(key)
    if not isinstance(value, list):
        raise BundleError(f"{path}: {entity.tag} has no list of {key}")
    return value


def _reference(node: Any) -> str:
    """The id that a node refers to or owns; empty for anything else."""
    if not isinstance(node, Tagged) or node.kind.split(".")[0] not in ("reference", "own"):
        return ""
    return str(node.value)


def _scene_object(by_id: dict[str, Tagged], node: Any, path: str, depth: int = 0) -> SceneObject:
    entity = by_id.get(_reference(node))
    if entity is None or entity.kind != "SceneObject":
        raise BundleError(f"{path}: {_reference(node) or node} is not a SceneObject of this scene")
    if depth > 100:
        raise BundleError(f"{path}: SceneObject {entity.id} is its own child")
    components = []
    for owned in _list(entity, "Components", path):
        component = by_id.get(_reference(owned))
        if component is None:
            raise BundleError(
                f"{path}: component {_reference(owned) or owned} is not in this scene"
            )
        components.append(Component(component.kind, component.id, component.value))
    children = tuple(
        _scene_object(by_id, child, path, depth + 1) for child in _list(entity, "Children", path)
    )
    return SceneObject(
        entity.id,
        str(entity.value.get("Name", "")),
        entity.value.get("Enabled") is not False,
        tuple(components),
        children,
    )
