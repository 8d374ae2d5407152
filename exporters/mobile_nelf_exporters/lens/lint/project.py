"""Project file and metas of a Lens Studio project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.lint.files import (
    ASSETS,
    BOM,
    LFS_START,
    META_SUFFIX,
    NATIVE_IMPORTERS,
    Meta,
    Project,
    error,
    field_of,
    reference_id,
    warning,
)
from mobile_nelf_exporters.lens.lint.ids import check_id
from mobile_nelf_exporters.lens.studio.yaml import parse_lens_yaml

__all__ = ["PROJECT_SUFFIX", "check_metas", "check_project_file", "check_text"]

PROJECT_SUFFIX = ".esproj"

#: What every project file of Lens Studio 5.14 to 5.22 holds. A project with half of it is among
#: the known causes of projects that do not open.
PROJECT_KEYS = (
    "studioVersion", "coreVersion", "clientVersion", "updateCheckpoint", "sceneId", "metaInfo",
)  # fmt: skip
META_INFO_KEYS = (
    "hints", "tags", "lensName", "lensDescriptors", "lensApplicability",
    "lensClientCompatibilities", "iconHash", "videoPreviewHash", "activationCamera", "documentId",
    "originalDocumentId",
)  # fmt: skip
VERSION_KEYS = ("major", "minor", "patch", "build", "type")
NUMBERS = ("coreVersion", "clientVersion", "updateCheckpoint")

#: What a Lens can be made for, and the cameras it can use.
CHOICES = {
    "lensClientCompatibilities": ("Mobile", "Web", "Spectacles", "CameraKit"),
    "lensApplicability": ("Front", "Back"),
    "activationCamera": ("Front", "Back"),
}

#: Kind of asset by importer, as seen in projects of Lens Studio 5.14 to 5.22.
IMPORTED_KINDS = {
    "DeviceCameraTextureImporter": "Texture",
    "FileMLAssetImporter": "FileMLAsset",
    "FileTextureImporter": "Texture",
    "JavaScriptAssetImporter": "JavaScriptAsset",
    "MaterialImporter": "Material",
    "RenderTargetImporter": "RenderTarget",
    "SceneImporter": "Scene",
    "ScreenCropTextureImporter": "Texture",
    "TypeScriptAssetImporter": "TypeScriptAsset",
}

#: Importer by ending of the file name, where there is only one.
ENDINGS = {
    ".deviceCameraTexture": "DeviceCameraTextureImporter",
    ".js": "JavaScriptAssetImporter",
    ".mat": "MaterialImporter",
    ".onnx": "FileMLAssetImporter",
    ".renderTarget": "RenderTargetImporter",
    ".scene": "SceneImporter",
    ".ts": "TypeScriptAssetImporter",
}

REIMPORT = "delete the meta and let Lens Studio import the file anew"
SAVE_AGAIN = "open the project in Lens Studio and save it, or generate it again"


def check_project_file(project: Project) -> Iterator[Finding]:
    """Finds what is wrong with the project file."""
    paths = [p for p in project.files if p.endswith(PROJECT_SUFFIX) and "/" not in p]
    if len(paths) != 1:
        found = ", ".join(paths) or "none"
        yield error(
            "", f"expected one {PROJECT_SUFFIX} file, found {found}", "keep the project's own"
        )
    for path in paths:
        try:
            data = parse_lens_yaml(project.files[path].removeprefix(BOM), path)
        except BundleError as problem:
            yield error(path, str(problem).removeprefix(f"{path}: "), SAVE_AGAIN)
            continue
        yield from _check_esproj(project, path, data)


def _check_esproj(project: Project, path: str, data: Any) -> Iterator[Finding]:
    missing = [key for key in PROJECT_KEYS if field_of(data, key) is None]
    missing += [
        f"studioVersion.{k}" for k in VERSION_KEYS if field_of(data, "studioVersion", k) is None
    ]
    missing += [f"metaInfo.{k}" for k in META_INFO_KEYS if field_of(data, "metaInfo", k) is None]
    if missing:
        yield error(path, f"lacks {', '.join(missing)}", SAVE_AGAIN)
    for key in NUMBERS:
        value = field_of(data, key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            yield error(path, f"{key} is {str(value)!r}, expected a number", SAVE_AGAIN)
    major = field_of(data, "studioVersion", "major")
    if major is not None and major != 5:
        yield warning(
            path,
            f"was written by Lens Studio {str(major)!r}, the rules here are those of 5",
            "open the project in Lens Studio 5 and save it",
        )
    yield from _check_scene_id(project, path, field_of(data, "sceneId"))
    for key in ("documentId", "originalDocumentId"):
        value = field_of(data, "metaInfo", key)
        if value is not None:
            yield from check_id(path, str(value))
    name = field_of(data, "metaInfo", "lensName")
    if name is not None and (not isinstance(name, str) or not name.strip()):
        yield error(path, f"lensName is {str(name)!r}, expected a text", "give the Lens a name")
    for key, known in CHOICES.items():
        chosen = field_of(data, "metaInfo", key)
        if chosen is None:
            continue
        values = chosen if isinstance(chosen, list) else [chosen]
        unknown = [str(value) for value in values if value not in known]
        if unknown or not values:
            yield warning(
                path,
                f"{key} is {', '.join(unknown) or 'empty'}, known are {', '.join(known)}",
                "choose one in Lens Studio's project settings",
            )


def _check_scene_id(project: Project, path: str, identity: Any) -> Iterator[Finding]:
    if identity is None:
        return
    scenes = {
        asset for meta in project.metas.values() for asset, kind in meta.kinds.items()
        if kind == "Scene"
    }  # fmt: skip
    if identity not in scenes:
        yield error(
            path,
            f"sceneId {str(identity)!r} is not a scene of the project",
            f"set it to {' or '.join(sorted(scenes)) or 'the id of a scene that you add'}",
        )


def check_metas(project: Project) -> Iterator[Finding]:
    """Finds assets without a meta, metas without an asset, and metas that contradict themselves."""
    yield from project.unread
    folded = {path.casefold() for path in project.files}
    for path in project.asset_paths:
        if path not in project.metas and f"{path}{META_SUFFIX}".casefold() not in folded:
            yield error(
                path,
                f"has no {path.rpartition('/')[2]}{META_SUFFIX}, so Lens Studio does not know it",
                "open the project in Lens Studio, which imports the file, or restore the meta",
            )
    for path in project.files:
        asset = path.removesuffix(META_SUFFIX)
        # A package is one file or a whole folder.
        if path == asset or not path.startswith(ASSETS) or asset.casefold() in folded:
            continue
        if not any(other.startswith(f"{asset}/") for other in project.files):
            yield error(
                path,
                f"describes {asset.rpartition('/')[2]}, which is missing",
                "restore the file or delete its meta",
            )
    for meta in project.metas.values():
        if meta.path.startswith(ASSETS):
            yield from _check_meta(project, meta)


def _check_meta(project: Project, meta: Meta) -> Iterator[Finding]:
    ending = "." + meta.asset_path.rpartition(".")[2]
    expected = ENDINGS.get(ending, meta.importer)
    if not expected:
        yield warning(meta.path, "names no importer, so the file was not imported", REIMPORT)
    elif meta.importer != expected:
        yield error(
            meta.path,
            f"ImporterName is {meta.importer or 'empty'}, expected {expected} for {ending}",
            REIMPORT,
        )
    kind = IMPORTED_KINDS.get(meta.importer)
    if kind is not None:
        if meta.kinds.get(meta.primary) != kind:
            found = meta.kinds.get(meta.primary)
            yield error(
                meta.path,
                f"PrimaryAsset is {f'a {found}' if found else 'not among ImportedAssetIds'}, "
                f"expected the id of a {kind}",
                REIMPORT,
            )
        document = project.documents.get(meta.asset_path)
        native = document is not None and meta.importer in NATIVE_IMPORTERS
        if native and document and meta.primary and document[0].id != meta.primary:
            yield error(
                meta.path,
                f"names the asset {meta.primary}, the file itself is {document[0].id}",
                "write the file's id into the meta, in ImportedAssetIds and PrimaryAsset",
            )
    data = field_of(meta.entities[0], "AssetDataMap")
    owned = {reference_id(node) for node in data.values()} if isinstance(data, dict) else set()
    loose = [entity for entity in meta.entities[1:] if entity.id not in owned]
    if loose and kind is not None:
        yield error(
            meta.path,
            f"holds a {loose[0].kind} that AssetDataMap does not own",
            REIMPORT,
        )


def check_text(project: Project) -> Iterator[Finding]:
    """Finds what version control and editors do to files."""
    for path, content in project.files.items():
        if not path.startswith(ASSETS) and not path.endswith(PROJECT_SUFFIX):
            continue
        if content.startswith(LFS_START):
            yield error(
                path, "is a pointer of Git LFS and not the file", "get the file with `git lfs pull`"
            )
            continue
        native = path in project.documents or path.endswith(PROJECT_SUFFIX)
        if not native and not path.endswith((".js", ".ts")):
            continue
        if content.startswith(BOM):
            yield warning(
                path,
                "begins with a byte order mark, which Lens Studio does not write",
                "save it as UTF-8 without a mark",
            )
        if native and b"\r" in content:
            yield warning(
                path,
                "has Windows line ends, which Lens Studio does not write",
                "switch off the conversion of line ends in Git (core.autocrlf)",
            )
