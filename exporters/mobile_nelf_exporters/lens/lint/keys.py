"""Keys that entities of Lens Studio always have.

Counted over thirty projects that Lens Studio 5.14 and 5.15 wrote, thousands of entities: a key is
listed if none lacks it. What Lens Studio makes of an entity without it is not documented.
"""

from __future__ import annotations

from collections.abc import Iterator

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.assets import ASSETS
from mobile_nelf_exporters.lens.studio.findings import warning
from mobile_nelf_exporters.lens.studio.project import LensProject
from mobile_nelf_exporters.lens.studio.yaml import tagged_nodes

__all__ = ["check_keys"]

KEYS = {
    "AssetImportMetadata": (
        "AssetDataMap", "CompressionSettings", "DependentFiles", "ExtraData", "ImportedAssetIds",
        "ImporterName", "ImporterSettings", "LegacyPackagePolicy", "PackageType", "PrimaryAsset",
    ),
    "Camera": (
        "Aspect", "AspectPreset", "CameraType", "ClearColor", "ClearDepth", "DepthMode",
        "DepthStencilRenderTarget", "DeviceProperty", "Enabled", "Far", "Fov", "MaskTexture",
        "Near", "RenderOrder", "RenderTarget", "Size", "renderLayer",
    ),
    "DeviceTracking": ("DeviceTrackingMode", "Enabled", "RotationOptions", "SurfaceOptions"),
    "FileMLAssetImporterSettings": ("Inputs", "Outputs"),
    "MLInput": ("Name", "Normalizations", "Shape", "Texture", "Transformer"),
    "MLOutput": ("InputName", "Name", "Normalizations", "OutputTexture", "Shape"),
    "RenderTarget": (
        "AntialiasingMode", "ClearColor", "ClearColorOption", "DepthBuffer", "InputTexture",
        "Resolution", "ResolutionScale", "UseScreenResolution",
    ),
    "Scene": ("RenderOutput", "RenderOverlayOutput", "RenderPreviewOutput", "layers", "objects"),
    "SceneObject": ("Children", "Components", "Enabled", "Layers", "LocalTransform", "Name"),
    "ScriptAssetData": (
        "ComponentUid", "DefaultScriptInputs", "ExportUid", "PackagePolicy", "ScriptInputsHidden",
        "ScriptTypes", "ScriptTypesHidden", "Tags",
    ),
    "ScriptComponent": (
        "Enabled", "Name", "ScriptAsset", "ScriptInputs", "ScriptInputsDefault", "ScriptTypes",
        "ScriptTypesDefault",
    ),
    "TransformEntity": ("Position", "Rotation", "Scale"),
}  # fmt: skip

#: Of the listed keys the only one that is null where nothing is set; empty lists are written `[]`.
NULL_KEYS = ("LegacyPackagePolicy",)


def check_keys(project: LensProject) -> Iterator[Finding]:
    """Finds entities that lack what all of their kind have."""
    for path, entities in project.documents.items():
        if not path.startswith(ASSETS):
            continue
        for node in tagged_nodes(entities):
            expected = KEYS.get(node.kind)
            if expected is None or not isinstance(node.value, dict):
                continue
            lacking = [
                key
                for key in expected
                if key not in node.value or (node.value[key] is None and key not in NULL_KEYS)
            ]
            if lacking:
                yield warning(
                    path,
                    f"{node.tag} lacks {', '.join(lacking)}",
                    "restore the lines, or let Lens Studio write the file again",
                )
