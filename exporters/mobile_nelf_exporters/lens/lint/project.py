"""Project file and metas of a Lens Studio project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mobile_nelf.export.inspection import Finding
from mobile_nelf.file_kinds import wrong_text
from mobile_nelf_exporters.lens.lint.ids import check_id
from mobile_nelf_exporters.lens.studio.assets import (
    ASSETS,
    IMPORTED_KINDS,
    META_SUFFIX,
    REIMPORT,
    Asset,
)
from mobile_nelf_exporters.lens.studio.findings import error, warning
from mobile_nelf_exporters.lens.studio.project import BOM, PROJECT_SUFFIX, SAVE_AGAIN, LensProject
from mobile_nelf_exporters.lens.studio.yaml import field_of, owned_ids
from mobile_nelf_exporters.names import LENS_NAME_RULE, is_lens_name

__all__ = ["check_metas", "check_project_file", "check_text"]

#: What every project file of Lens Studio 5.14 to 5.22 holds. A project with half of it is among
#: the known causes of projects that do not open.
PROJECT_KEYS = (
    "studioVersion", "coreVersion", "clientVersion", "updateCheckpoint", "metaInfo",
)  # fmt: skip
META_INFO_KEYS = (
    "hints", "tags", "lensName", "lensDescriptors", "lensApplicability",
    "lensClientCompatibilities", "iconHash", "videoPreviewHash", "activationCamera", "documentId",
    "originalDocumentId",
)  # fmt: skip
VERSION_KEYS = ("major", "minor", "patch", "build", "type")
NUMBERS = ("coreVersion", "clientVersion", "updateCheckpoint")

#: What a Lens can be made for, and the cameras it can use. Guess `activation`: the one at the back
#: is `Rear`, its name in the declarations for plugins; projects that were seen begin in front.
CHOICES = {
    "lensClientCompatibilities": ("Mobile", "Web", "Spectacles", "CameraKit"),
    "lensApplicability": ("Front", "Back"),
    "activationCamera": ("Front", "Rear", "Back"),
}

#: Importer by ending of the file name, where there is only one.
ENDINGS = {
    ".deviceCameraTexture": "DeviceCameraTextureImporter",
    ".js": "JavaScriptAssetImporter",
    ".mat": "MaterialImporter",
    ".onnx": "FileMLAssetImporter",
    ".prefab": "ObjectPrefabImporter",
    ".renderTarget": "RenderTargetImporter",
    ".scene": "SceneImporter",
    ".ts": "TypeScriptAssetImporter",
}


def check_project_file(project: LensProject) -> Iterator[Finding]:
    """Finds what is missing in the project file, or not as Lens Studio writes it."""
    for path, data in project.settings.items():
        yield from _check_esproj(path, data)


def _check_esproj(path: str, data: Any) -> Iterator[Finding]:
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
    for key in ("documentId", "originalDocumentId"):
        value = field_of(data, "metaInfo", key)
        if value is not None:
            yield from check_id(path, str(value))
    name = field_of(data, "metaInfo", "lensName")
    if name is not None and (not isinstance(name, str) or not name.strip()):
        yield error(path, f"lensName is {str(name)!r}, expected a text", "give the Lens a name")
    elif name is not None and not is_lens_name(name):
        yield warning(
            path,
            f"lensName is {name!r}, expected {LENS_NAME_RULE}",
            "change it in Lens Studio's project settings before you submit the Lens",
        )
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


def check_metas(project: LensProject) -> Iterator[Finding]:
    """Finds assets without a meta, and metas of the wrong importer."""
    folded = {path.casefold() for path in project.files}
    for path in project.asset_paths:
        if path not in project.imported and f"{path}{META_SUFFIX}".casefold() not in folded:
            yield error(
                path,
                f"has no {path.rpartition('/')[2]}{META_SUFFIX}, so Lens Studio does not know it",
                "open the project in Lens Studio, which imports the file, or restore the meta",
            )
    for asset in project.imported.values():
        if asset.path.startswith(ASSETS):
            yield from _check_meta(asset)


def _check_meta(asset: Asset) -> Iterator[Finding]:
    ending = "." + asset.path.rpartition(".")[2]
    expected = ENDINGS.get(ending, asset.importer)
    if not expected:
        yield warning(asset.meta_path, "names no importer, so the file was not imported", REIMPORT)
    elif asset.importer != expected:
        yield error(
            asset.meta_path,
            f"ImporterName is {asset.importer or 'empty'}, expected {expected} for {ending}",
            REIMPORT,
        )
    owned = set(owned_ids(asset.entities))
    loose = [entity for entity in asset.entities[1:] if entity.id not in owned]
    if loose and asset.importer in IMPORTED_KINDS:
        yield error(
            asset.meta_path,
            f"holds a {loose[0].kind} that nothing owns",
            REIMPORT,
        )


def check_text(project: LensProject) -> Iterator[Finding]:
    """Finds what version control and editors do to files."""
    for path, content in project.files.items():
        if not path.startswith(ASSETS) and not path.endswith(PROJECT_SUFFIX):
            continue
        # A suffix is not wrong here: projects hold files of all kinds.
        if kind := wrong_text(b"" if b"\0" in content else content):
            problem, _, advice = kind.partition("; ")
            yield error(path, problem, advice)
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
