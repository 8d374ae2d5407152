"""Reads a Lens Studio project, also one that Lens Studio would not open, and lists its holes.

Guess `open`: one that Lens Studio never saved is read like one that it did. The linter reports all
holes, the player refuses a project at the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.assets import (
    ASSETS,
    META_KIND,
    META_SUFFIX,
    NATIVE_IMPORTERS,
    REIMPORT,
    Asset,
    asset_holes,
    read_asset,
)
from mobile_nelf_exporters.lens.studio.findings import error
from mobile_nelf_exporters.lens.studio.scene import SceneObject, ownership_holes, read_objects
from mobile_nelf_exporters.lens.studio.yaml import (
    Tagged,
    defined_entities,
    field_of,
    owned_ids,
    parse_lens_yaml,
    reference_id,
)

__all__ = [
    "BOM",
    "PROJECT_SUFFIX",
    "SAVE_AGAIN",
    "SCENE_SUFFIX",
    "LensProject",
    "parse_lens_project",
    "read_lens_project",
]

PROJECT_SUFFIX = ".esproj"
SCENE_SUFFIX = ".scene"
PACKAGES = "Packages/"
#: Of a package that is one file; in an unpacked one the descriptor has an importer of its own.
PACKAGE_IMPORTER = "NativePackageImporter"
PACKAGE_SUFFIX = ".lspkg"

#: Every file that Lens Studio writes as YAML, other than the project file, begins like this.
NATIVE_START = b"- !<"
BOM = b"\xef\xbb\xbf"

RESTORE = "restore the file, or let Lens Studio write it again"
SAVE_AGAIN = "open the project in Lens Studio and save it, or generate it again"


@dataclass(frozen=True)
class LensProject:
    """All files of a project, those of Lens Studio parsed.

    Attributes:
        files: content by path relative to the project's folder.
        settings: of each readable project file, by path; there should be one.
        documents: entities by path, of each file in Lens Studio's own YAML.
        imported: what the metas say, by path of the file.
        asset_kinds: kind by id, of every asset that a meta declares.
        sealed_packages: paths of packages that are one file each; assets may be defined in there,
            which cannot be looked into. An unpacked one is a folder like others.
        scene_path: of the scene that opens; empty if there is none.
        objects: its roots, without what does not resolve.
        holes: errors with which the project cannot be resolved, in the order of reading.
    """

    files: Mapping[str, bytes]
    settings: dict[str, Any]
    documents: dict[str, list[Tagged]]
    imported: dict[str, Asset]
    asset_kinds: dict[str, str]
    sealed_packages: tuple[str, ...]
    scene_path: str
    objects: tuple[SceneObject, ...]
    holes: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """Of the project file; empty if there is none."""
        return next(iter(self.settings), "").removesuffix(PROJECT_SUFFIX)

    @property
    def has_packages(self) -> bool:
        """Whether assets may be defined where nothing can be looked at."""
        return bool(self.sealed_packages)

    @property
    def render_output(self) -> str:
        """Id of the render target that is on the screen; empty if none is set."""
        scene = self.documents.get(self.scene_path)
        return reference_id(field_of(scene[0], "RenderOutput")) if scene else ""

    @cached_property
    def assets(self) -> dict[str, Asset]:
        """Main assets of the files that are there, by id."""
        return {
            asset.id: asset
            for asset in self.imported.values()
            if asset.kind and asset.path in self.files
        }

    @property
    def asset_paths(self) -> list[str]:
        """Every file below `Assets` that is not a meta; hidden files belong to other programs."""
        return [
            path
            for path in self.files
            if path.startswith(ASSETS)
            and not path.endswith(META_SUFFIX)
            and not path.rpartition("/")[2].startswith(".")
        ]

    def asset_with(self, identity: str) -> Asset | None:
        """The file whose meta declares an id, as its main asset or beside it."""
        return next((asset for asset in self.imported.values() if identity in asset.kinds), None)

    def entity(self, asset: Asset) -> Tagged:
        """Returns the first entity of a native asset, such as a render target.

        Raises:
            BundleError: the file does not hold entities.
        """
        if asset.path not in self.documents:
            raise BundleError(f"{asset.path}: does not begin like a file of Lens Studio; {RESTORE}")
        return self.documents[asset.path][0]


def read_lens_project(files: Mapping[str, bytes]) -> LensProject:
    """Returns the project in `files`.

    Args:
        files: content by POSIX path relative to the project folder.

    Raises:
        BundleError: something is missing, malformed or does not resolve.
        MissingExtraError: PyYAML is not installed.
    """
    project = parse_lens_project(files)
    for hole in project.holes:
        place = f"{hole.path}: " if hole.path else ""
        raise BundleError(f"{place}{hole.problem}; {hole.advice}")
    return project


def parse_lens_project(files: Mapping[str, bytes]) -> LensProject:
    """Returns the project in `files` as far as it can be read, with its holes.

    Args:
        files: content by POSIX path relative to the project folder.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    settings, holes = _settings(files)
    documents, unread = _documents(files)
    imported, unknown = _imported(files, documents)
    holes += [*unread, *unknown, *asset_holes(files, documents, imported)]
    for path, entities in documents.items():
        holes += _owned_nowhere(path, entities)
    scene_path, unopened = _opened_scene(files, settings, imported)
    holes += unopened
    kinds = {i: kind for asset in imported.values() for i, kind in asset.kinds.items()}
    sealed = _sealed_packages(files, imported)
    objects: tuple[SceneObject, ...] = ()
    for path, entities in documents.items():
        if not path.endswith(SCENE_SUFFIX) and path != scene_path:
            continue
        if entities[0].kind != "Scene":
            holes.append(_wrong_start(path, entities[0], "Scene", "restore the file"))
            continue
        holes += ownership_holes(path, entities)
        holes += _output_holes(path, entities[0], kinds, bool(sealed))
        roots, broken = read_objects(path, entities)
        holes += broken
        if path == scene_path:
            objects = roots
    return LensProject(
        files, settings, documents, imported, kinds, sealed, scene_path, objects, tuple(holes)
    )


def _sealed_packages(files: Mapping[str, bytes], imported: Mapping[str, Asset]) -> tuple[str, ...]:
    named = {path for path in files if path.endswith(PACKAGE_SUFFIX)}
    named |= {path for path, asset in imported.items() if asset.importer == PACKAGE_IMPORTER}
    return tuple(sorted(path for path in named if not any(p.startswith(f"{path}/") for p in files)))


def _settings(files: Mapping[str, bytes]) -> tuple[dict[str, Any], list[Finding]]:
    holes = []
    paths = [path for path in files if path.endswith(PROJECT_SUFFIX) and "/" not in path]
    if len(paths) != 1:
        found = ", ".join(paths) or "none"
        holes.append(
            error(
                "", f"expected one {PROJECT_SUFFIX} file, found {found}", "keep the project's own"
            )
        )
    settings: dict[str, Any] = {}
    for path in paths:
        try:
            settings[path] = parse_lens_yaml(files[path].removeprefix(BOM), path)
        except BundleError as problem:
            holes.append(error(path, str(problem).removeprefix(f"{path}: "), SAVE_AGAIN))
    return settings, holes


def _documents(
    files: Mapping[str, bytes],
) -> tuple[dict[str, list[Tagged]], list[Finding]]:
    documents: dict[str, list[Tagged]] = {}
    holes = []
    for path, content in files.items():
        if not path.startswith((ASSETS, PACKAGES)):
            continue
        if not _looks_native(path, content):
            continue
        try:
            document = parse_lens_yaml(content.removeprefix(BOM), path)
        except BundleError as problem:
            holes.append(error(path, str(problem).removeprefix(f"{path}: "), RESTORE))
            continue
        if isinstance(document, list) and document and all(map(_is_entity, document)):
            documents[path] = document
        else:
            holes.append(_not_native(path))
    return documents, holes


def _looks_native(path: str, content: bytes) -> bool:
    named = path.endswith((META_SUFFIX, SCENE_SUFFIX))
    return named or content.lstrip(BOM).startswith(NATIVE_START)


def _is_entity(item: Any) -> bool:
    return isinstance(item, Tagged) and bool(item.id) and isinstance(item.value, dict)


def _not_native(path: str) -> Finding:
    return error(path, "does not begin like a file of Lens Studio, '- !<Type/id>'", RESTORE)


def _wrong_start(path: str, head: Tagged, kind: str, advice: str) -> Finding:
    return error(path, f"begins with an entity {head.kind!r}, expected {kind!r}", advice)


def _imported(
    files: Mapping[str, bytes], documents: Mapping[str, list[Tagged]]
) -> tuple[dict[str, Asset], list[Finding]]:
    imported: dict[str, Asset] = {}
    holes = []
    for path, entities in documents.items():
        if not path.endswith(META_SUFFIX):
            continue
        if entities[0].kind == META_KIND:
            asset = read_asset(path, entities)
            imported[asset.path] = asset
        else:
            holes.append(_wrong_start(path, entities[0], META_KIND, REIMPORT))
    for path, asset in imported.items():
        # One that begins like a file of Lens Studio was read, or is a hole already.
        native = asset.importer in NATIVE_IMPORTERS and path in files
        if native and not _looks_native(path, files[path]):
            holes.append(_not_native(path))
    return imported, holes


def _owned_nowhere(path: str, entities: list[Tagged]) -> Iterator[Finding]:
    for identity in sorted(set(owned_ids(entities)) - defined_entities(entities).keys()):
        yield error(
            path,
            f"owns an entity {identity} that the file does not define",
            "restore the entity or remove the line that owns it",
        )


def _opened_scene(
    files: Mapping[str, bytes], settings: Mapping[str, Any], imported: Mapping[str, Asset]
) -> tuple[str, list[Finding]]:
    scenes = {
        asset.id: asset.path
        for asset in imported.values()
        if asset.kind == "Scene" and asset.path in files
    }
    opened, holes = "", []
    for path, data in settings.items():
        identity = field_of(data, "sceneId")
        if identity is None:
            holes.append(error(path, "has no sceneId, so Lens Studio cannot open it", SAVE_AGAIN))
        elif str(identity) not in scenes:
            holes.append(
                error(
                    path,
                    f"sceneId {str(identity)!r} is not a scene of the project",
                    f"set it to {' or '.join(sorted(scenes)) or 'the id of a scene that you add'}",
                )
            )
        opened = opened or scenes.get(str(identity), "")
    return opened, holes


def _output_holes(
    path: str, scene: Tagged, kinds: Mapping[str, str], packaged: bool
) -> Iterator[Finding]:
    """Finds a scene that shows nothing; an unknown asset may come from a package."""
    if not reference_id(field_of(scene, "RenderOutput")):
        yield error(
            path,
            "RenderOutput is not set, so the Lens shows nothing",
            "choose the render target as the scene's Capture Target (Scene Config in Lens Studio)",
        )
    for key in ("RenderOutput", "RenderPreviewOutput"):
        identity = reference_id(field_of(scene, key))
        kind = kinds.get(identity)
        if identity and kind != "RenderTarget" and (kind or not packaged):
            found = f"a {kind}" if kind else "nothing that the project defines"
            yield error(
                path, f"{key} is {found}, expected a RenderTarget", "choose a render target"
            )
