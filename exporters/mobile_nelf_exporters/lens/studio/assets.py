"""Assets of a Lens Studio project: what the metas say about files, and where they contradict."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.findings import error
from mobile_nelf_exporters.lens.studio.yaml import Tagged, field_of, reference_id, tagged_nodes

__all__ = [
    "ASSETS",
    "IMPORTED_KINDS",
    "META_KIND",
    "META_SUFFIX",
    "NATIVE_IMPORTERS",
    "NEW_ID",
    "REIMPORT",
    "Asset",
    "asset_holes",
    "read_asset",
]

ASSETS = "Assets/"
META_SUFFIX = ".meta"

#: What a meta starts with.
META_KIND = "AssetImportMetadata"

PACKAGE_KEY = re.compile(r"[0-9a-f-]{36}")

#: Importers of files that are themselves YAML of Lens Studio.
NATIVE_IMPORTERS = frozenset(
    {
        "DeviceCameraTextureImporter",
        "MaterialImporter",
        "NativePackageDescriptorImporter",
        "ObjectPrefabImporter",
        "RenderTargetImporter",
        "SceneImporter",
        "ScreenCropTextureImporter",
    }
)

#: Kind of asset by importer, as seen in projects of Lens Studio 5.14 to 5.22.
IMPORTED_KINDS = {
    "DeviceCameraTextureImporter": "Texture",
    "FileMLAssetImporter": "FileMLAsset",
    "FileTextureImporter": "Texture",
    "JavaScriptAssetImporter": "JavaScriptAsset",
    "MarkdownAssetImporter": "MarkdownAsset",
    "MaterialImporter": "Material",
    "NativePackageDescriptorImporter": "NativePackageDescriptor",
    "ObjectPrefabImporter": "ObjectPrefab",
    "RenderTargetImporter": "RenderTarget",
    "SceneImporter": "Scene",
    "ScreenCropTextureImporter": "Texture",
    "TypeScriptAssetImporter": "TypeScriptAsset",
}

REIMPORT = "delete the meta and let Lens Studio import the file anew"
NEW_ID = "give it a fresh random id (version 4), also where it is referred to"


@dataclass(frozen=True)
class Asset:
    """A file that Lens Studio knows through its meta.

    Attributes:
        path: of the file, relative to the project.
        id: of the main asset, which scenes refer to; empty if there is none.
        file_id: of the file; nothing may refer to it.
        importer: that Lens Studio uses for the file.
        kinds: of the assets in the file, by id: `Texture`, `FileMLAsset`, …; empty if unknown.
        entities: everything in the meta.
    """

    path: str
    id: str
    file_id: str
    importer: str
    kinds: dict[str, str]
    entities: list[Tagged]

    @property
    def meta_path(self) -> str:
        """Path of the meta."""
        return f"{self.path}{META_SUFFIX}"

    @property
    def kind(self) -> str:
        """Kind of the main asset; empty if it is unknown."""
        return self.kinds.get(self.id, "")

    @property
    def settings(self) -> Any:
        """The importer's."""
        return field_of(self.entities[0], "ImporterSettings")


def read_asset(meta_path: str, entities: list[Tagged]) -> Asset:
    """Returns what a meta says; what it does not say is empty."""
    head = entities[0]
    declared = field_of(head, "ImportedAssetIds")
    declared = declared if isinstance(declared, dict) else {}
    return Asset(
        path=meta_path.removesuffix(META_SUFFIX),
        id=reference_id(field_of(head, "PrimaryAsset")),
        file_id=head.id,
        importer=str(field_of(head, "ImporterName") or ""),
        kinds={
            # A package has keys of its own in place of kinds.
            identity: "" if PACKAGE_KEY.fullmatch(str(kind)) else str(kind)
            for kind, node in declared.items()
            for identity in map(reference_id, tagged_nodes(node))
            if identity
        },
        entities=entities,
    )


def asset_holes(
    files: Mapping[str, bytes],
    documents: Mapping[str, list[Tagged]],
    assets: Mapping[str, Asset],
) -> Iterator[Finding]:
    """Finds metas without a file, metas that contradict themselves, and ids that stand twice."""
    folded = {path.casefold() for path in files}
    for path in files:
        source = path.removesuffix(META_SUFFIX)
        # A package is one file or a whole folder.
        if path == source or not path.startswith(ASSETS) or source.casefold() in folded:
            continue
        if not any(other.startswith(f"{source}/") for other in files):
            yield error(
                path,
                f"describes {source.rpartition('/')[2]}, which is missing",
                "restore the file or delete its meta",
            )
    places: dict[str, set[str]] = defaultdict(set)
    for asset in assets.values():
        if asset.path.startswith(ASSETS):
            yield from _check_main_asset(asset, documents.get(asset.path))
        if asset.file_id in asset.kinds:
            yield error(
                asset.meta_path,
                f"file and asset have the same id {asset.file_id}",
                "give the file a fresh id in the first line; the scene refers to the asset's",
            )
        for identity in (asset.file_id, *asset.kinds):
            places[identity].add(asset.meta_path)
    for identity, paths in places.items():
        first, *others = sorted(paths)
        if others:
            yield error(others[0], f"uses the id {identity} that {first} uses already", NEW_ID)


def _check_main_asset(asset: Asset, document: list[Tagged] | None) -> Iterator[Finding]:
    kind = IMPORTED_KINDS.get(asset.importer)
    if kind is None:
        return
    if asset.kind != kind:
        found = f"a {asset.kind}" if asset.kind else "not among ImportedAssetIds"
        yield error(
            asset.meta_path, f"PrimaryAsset is {found}, expected the id of a {kind}", REIMPORT
        )
    native = document is not None and asset.importer in NATIVE_IMPORTERS
    if native and document and asset.id and document[0].id != asset.id:
        yield error(
            asset.meta_path,
            f"names the asset {asset.id}, the file itself is {document[0].id}",
            "write the file's id into the meta, in ImportedAssetIds and PrimaryAsset",
        )
