"""A material for a lens whose picture is on a surface, as a person adds one in Lens Studio."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mobile_nelf_exporters.lens.studio.yaml import NIL

__all__ = ["with_material"]

MATERIAL_PATH = "Assets/Image.mat"
SCENE_PATH = "Assets/Scene.scene"
MATERIAL_ID, PASS_ID, FILE_ID = (
    "c0b6d0f6-4b7e-4a5c-9d38-7e1f25a9b8c4",
    "3f8e2a17-6c95-4e0b-b1d4-90a7c6e25d18",
    "8ad41c73-0e2f-4b96-a5c7-d3196f0be482",
)

#: What the stand-in needs of one. Lens Studio's own has a shader and the shader's properties.
MATERIAL = f"""- !<Material/{MATERIAL_ID}>
  PackagePath: ""
  PassesInfo:
    - !<own> {PASS_ID}
- !<PassInfo/{PASS_ID}>
  BlendMode: Normal
  Pass: !<reference> {NIL}
"""
META = f"""- !<AssetImportMetadata/{FILE_ID}>
  ImportedAssetIds:
    Material: !<reference> {MATERIAL_ID}
  ImporterName: MaterialImporter
  PrimaryAsset: !<reference> {MATERIAL_ID}
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
  CompressionSettings: !<own> {NIL}
"""

#: The input of the controller while it is empty.
EMPTY = re.compile(rf"(\n +material: !<reference\.Material>) {NIL}".encode())


def with_material(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns a project with a material on the controller's field; one that has one stays.

    Args:
        files: of the project, by path relative to it.
    """
    scene, changes = EMPTY.subn(rb"\1 " + MATERIAL_ID.encode(), files.get(SCENE_PATH, b""))
    if not changes:
        return dict(files)
    return {
        **files,
        SCENE_PATH: scene,
        MATERIAL_PATH: MATERIAL.encode(),
        f"{MATERIAL_PATH}.meta": META.encode(),
    }
