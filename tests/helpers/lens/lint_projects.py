"""A good Lens Studio project, and ways to spoil it, for tests of the linter."""

from __future__ import annotations

import re

from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.options import Options
from tests.helpers.students import random_checkpoint

__all__ = [
    "IDS",
    "META",
    "MODEL",
    "SCENE",
    "SCRIPT",
    "SMALL",
    "TARGET",
    "TINY",
    "assert_reported",
    "asset_id",
    "by_hand",
    "edited",
    "file_id",
    "generated_project",
    "with_asset",
    "without",
]

ROOT = "lens_project/"
SCENE, MODEL, SCRIPT = "Assets/Scene.scene", "Assets/model.onnx", "Assets/NelfController.js"
SMALL = "Assets/small.onnx"
TARGET = "Assets/Render Target.renderTarget"
#: The smallest student with every kind of layer; its project has as many files as any other.
TINY = {"depth": 4, "width": 8, "sr_widths": (8,), "ray_width": 4, "ray_height": 3}

META = """- !<AssetImportMetadata/{file}>
  ImportedAssetIds:
    {kind}: !<reference> {asset}
  ImporterName: {importer}
  PrimaryAsset: !<reference> {asset}
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
  CompressionSettings: !<own> 00000000-0000-0000-0000-000000000000
"""
IDS = (
    "6c1b7d0e-52a4-4f6e-9d3b-8f02c7a1e594",
    "f3a90b62-1d7c-48e5-b246-05e9d8c73a1f",
    "b85e2c19-7f40-4d3a-8e61-92ac4f07d35b",
    "0d47f8a3-c6b1-42e9-a507-e31f96b28c4d",
)


def generated_project(
    layout: str, experience: str = "orbit", lens_studio: str | None = None, **student
) -> dict[str, bytes]:
    """A project as the exporter makes it, paths relative to its folder."""
    checkpoint = random_checkpoint(**{**TINY, **student})
    options = Options(layout=layout, experience=experience, lens_studio=lens_studio)
    exported = LensStudioExporter().export(checkpoint, "Thing", options)
    return {
        path.removeprefix(ROOT): content
        for path, content in exported.files.items()
        if path.startswith(ROOT)
    }


def edited(files, path, pattern, replacement, count=1) -> dict[str, bytes]:
    content, changes = re.subn(pattern, replacement, files[path].decode(), count=count)
    assert changes, f"{pattern} is not in {path}"
    return {**files, path: content.encode()}


def without(files, *paths) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path not in paths}


def assert_reported(files, path, problem, severity="error") -> None:
    """Asserts that a finding about `path` says `problem`."""
    findings = lint_lens_project(files)
    matching = [f for f in findings if f.path == path and re.search(problem, f.problem)]
    assert [f.severity for f in matching[:1]] == [severity], findings
    assert all(f.advice for f in findings)


def with_asset(files, path, content, kind, importer, ids=IDS[:2]) -> dict[str, bytes]:
    meta = META.format(file=ids[0], asset=ids[1], kind=kind, importer=importer)
    return {**files, path: content, f"{path}.meta": meta.encode()}


def asset_id(files, path) -> str:
    return re.search(r"PrimaryAsset: !<reference> (\S+)", files[f"{path}.meta"].decode())[1]


def file_id(files, path) -> str:
    return re.search(r"AssetImportMetadata/([^>]+)", files[f"{path}.meta"].decode())[1]


def by_hand(files) -> dict[str, bytes]:
    """What a user adds in Lens Studio: a folder, a texture, TypeScript, a component, a text."""
    files = with_asset(files, "Assets/My Art/Cat.png", b"\x89PNG", "Texture", "FileTextureImporter")
    files = with_asset(
        files,
        "Assets/Scripts/Spin.ts",
        b'import {SIK} from "SpectaclesInteractionKit.lspkg/SIK"\r\n@component\nclass Spin {}\n',
        "TypeScriptAsset",
        "TypeScriptAssetImporter",
        IDS[2:],
    )
    files = edited(
        files,
        SCENE,
        r"(?m)^- !<ScriptComponent/",
        "- !<FutureComponent/ab03d2f7-64c9-4e18-b75a-2f9e10c8d463>\n  Name: unknown to us\n"
        "  Texture: !<reference.Texture> f3a90b62-1d7c-48e5-b246-05e9d8c73a1f\n"
        "  Objects: !<reference.SceneObject[]>\n    []\n"
        "  Text: Drop me\u2028(hold)\n  ColorMask: {x: true, y: true, z: true, w: false}\n"
        "- !<ScriptComponent/",
    )
    files = edited(
        files, SCENE, r"(    - !<own> \S+\n)(?=- )",
        r"\1    - !<own> ab03d2f7-64c9-4e18-b75a-2f9e10c8d463\n",
    )  # fmt: skip
    return {**files, "README.md": b""}
