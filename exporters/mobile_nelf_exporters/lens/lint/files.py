"""A Lens Studio project as the linter sees it: parsed files, metas, and who defines which id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.yaml import NIL, Tagged, parse_lens_yaml, tagged_nodes

__all__ = [
    "ASSETS",
    "Meta",
    "Project",
    "error",
    "field_of",
    "read_project",
    "reference_id",
    "warning",
]

ASSETS = "Assets/"
PACKAGES = "Packages/"
META_SUFFIX = ".meta"

#: Every file that Lens Studio writes as YAML, other than the project file, begins like this.
NATIVE_START = b"- !<"
BOM = b"\xef\xbb\xbf"
LFS_START = b"version https://git-lfs"

PACKAGE_KEY = re.compile(r"[0-9a-f-]{36}")

#: What a meta starts with.
META_KIND = "AssetImportMetadata"

PACKAGE_IMPORTER = "NativePackageImporter"

#: Importers of files that are themselves YAML of Lens Studio.
NATIVE_IMPORTERS = frozenset(
    {
        "DeviceCameraTextureImporter",
        "MaterialImporter",
        "ObjectPrefabImporter",
        "RenderTargetImporter",
        "SceneImporter",
        "ScreenCropTextureImporter",
    }
)


def error(path: str, problem: str, advice: str) -> Finding:
    """A finding with which the project does not work."""
    return Finding(path, "error", problem, advice)


def warning(path: str, problem: str, advice: str) -> Finding:
    """A finding with which the project works."""
    return Finding(path, "warning", problem, advice)


def field_of(node: Any, *keys: str) -> Any:
    """The value below `keys` in nested mappings, tagged or not; None where there is none."""
    for key in keys:
        if isinstance(node, Tagged):
            node = node.value
        node = node.get(key) if isinstance(node, dict) else None
    return node


def reference_id(node: Any) -> str:
    """The id in a reference or in what owns an entity; empty for nil and for anything else."""
    if isinstance(node, Tagged) and node.tag.partition(".")[0] in ("reference", "own"):
        return "" if node.value == NIL else str(node.value)
    return ""


@dataclass(frozen=True)
class Meta:
    """The import record of one asset.

    Attributes:
        path: of the meta.
        file_id: of the file; nothing may refer to it.
        importer: that Lens Studio uses for the file.
        kinds: of the assets in the file, by id: `Texture`, `FileMLAsset`, …; empty if unknown.
        primary: id of the main asset; empty if there is none.
        entities: everything in the meta.
    """

    path: str
    file_id: str
    importer: str
    kinds: dict[str, str]
    primary: str
    entities: list[Tagged]

    @property
    def asset_path(self) -> str:
        """Path of the file that it describes."""
        return self.path.removesuffix(META_SUFFIX)


@dataclass(frozen=True)
class Project:
    """All files of a project, those of Lens Studio parsed.

    Attributes:
        files: content by path relative to the project's folder.
        documents: entities by path, of each file in Lens Studio's own YAML.
        metas: by path of the asset.
        asset_kinds: kind by id, of every asset that a meta declares.
        unread: findings about files that could not be parsed.
    """

    files: Mapping[str, bytes]
    documents: dict[str, list[Tagged]] = field(default_factory=dict)
    metas: dict[str, Meta] = field(default_factory=dict)
    asset_kinds: dict[str, str] = field(default_factory=dict)
    unread: list[Finding] = field(default_factory=list)

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

    @property
    def has_packages(self) -> bool:
        """Whether assets may be defined inside of packages, which cannot be looked into."""
        packed = any(meta.importer == PACKAGE_IMPORTER for meta in self.metas.values())
        return packed or any(".lspkg" in path for path in self.files)

    def metas_of_kind(self, kind: str) -> Iterator[Meta]:
        """Yields the metas that declare an asset of a kind."""
        return (meta for meta in self.metas.values() if kind in meta.kinds.values())

    def meta_of(self, asset: str) -> Meta | None:
        """The meta that declares the asset with an id."""
        return next((meta for meta in self.metas.values() if asset in meta.kinds), None)

    def document(self, path: str, suffix: str) -> list[Tagged] | None:
        """Entities of a file, if it was parsed and its name ends in `suffix`."""
        return self.documents.get(path) if path.endswith(suffix) else None


def read_project(files: Mapping[str, bytes]) -> Project:
    """Parses what is Lens Studio's own YAML.

    Args:
        files: content by path relative to the project's folder.
    """
    project = Project(files)
    for path in files:
        if not path.startswith((ASSETS, PACKAGES)):
            continue
        content = files[path]
        if path.endswith((META_SUFFIX, ".scene")) or content.lstrip(BOM).startswith(NATIVE_START):
            _parse(project, path, content)
    for path, entities in project.documents.items():
        if path.endswith(META_SUFFIX):
            _index_meta(project, path, entities)
    for meta in project.metas.values():
        project.asset_kinds.update(meta.kinds)
        native = meta.importer in NATIVE_IMPORTERS and meta.asset_path in files
        if native and meta.asset_path not in project.documents:
            already = {finding.path for finding in project.unread}
            if meta.asset_path not in already:
                project.unread.append(_not_native(meta.asset_path))
    return project


def _not_native(path: str) -> Finding:
    return error(
        path,
        "does not begin like a file of Lens Studio, '- !<Type/id>'",
        "restore the file, or let Lens Studio write it again",
    )


def _parse(project: Project, path: str, content: bytes) -> None:
    try:
        document = parse_lens_yaml(content.removeprefix(BOM), path)
    except BundleError as problem:
        text = str(problem).removeprefix(f"{path}: ")
        project.unread.append(
            error(path, text, "restore the file, or let Lens Studio write it again")
        )
        return
    if isinstance(document, list) and document and all(_is_entity(item) for item in document):
        project.documents[path] = document
    else:
        project.unread.append(_not_native(path))


def _is_entity(item: Any) -> bool:
    return isinstance(item, Tagged) and bool(item.id) and isinstance(item.value, dict)


def _index_meta(project: Project, path: str, entities: list[Tagged]) -> None:
    head = entities[0]
    if head.kind != META_KIND:
        project.unread.append(
            error(
                path,
                f"begins with an entity {head.kind!r}, expected {META_KIND!r}",
                "delete the meta and let Lens Studio import the file anew",
            )
        )
        return
    declared = field_of(head, "ImportedAssetIds")
    declared = declared if isinstance(declared, dict) else {}
    meta = Meta(
        path=path,
        file_id=head.id,
        importer=str(field_of(head, "ImporterName") or ""),
        kinds={
            # A package has keys of its own in place of kinds.
            identity: "" if PACKAGE_KEY.fullmatch(str(kind)) else str(kind)
            for kind, node in declared.items()
            for identity in _ids_below(node)
        },
        primary=reference_id(field_of(head, "PrimaryAsset")),
        entities=entities,
    )
    project.metas[meta.asset_path] = meta


def _ids_below(node: Any) -> Iterator[str]:
    for found in tagged_nodes(node):
        if reference_id(found):
            yield reference_id(found)
