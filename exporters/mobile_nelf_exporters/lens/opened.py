"""What Lens Studio itself does to a project of ours when it opens it.

A version newer than ours rewrites the project file with its own numbers, writes metas again, and
puts `//@component` before an old script. Any version makes folders of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.constants import written_studio
from mobile_nelf_exporters.lens.paths import PROJECT, project_files
from mobile_nelf_exporters.lens.project import SCENE_ID
from mobile_nelf_exporters.lens.studio.assets import ASSETS, META_KIND, META_SUFFIX
from mobile_nelf_exporters.lens.studio.project import BOM, PROJECT_SUFFIX
from mobile_nelf_exporters.lens.studio.yaml import Tagged, field_of, parse_lens_yaml, tagged_nodes
from mobile_nelf_exporters.lens.versions import Studio

__all__ = ["is_studio_file", "is_updated", "studio_edits"]

#: What Lens Studio makes beside a project; the list of its own `.gitignore`.
STUDIO_FOLDERS = (
    ".vscode", "BackUp", "Cache", "PluginsUserPreferences", "Support", "Workspaces",
)  # fmt: skip
STUDIO_FILES = re.compile(r"(.*/)?(\.DS_Store|[^/]*\.lock)|(js|ts)config\.json|\.gitattributes")

COMPONENT_LINE = re.compile(rb"[ \t]*//[ \t]*@component[ \t]*\r?\n")


def is_studio_file(path: str) -> bool:
    """Whether Lens Studio makes such a file by itself.

    Args:
        path: in the bundle.
    """
    top, _, inside = path.partition("/")
    in_folder = inside.partition("/")[0] in STUDIO_FOLDERS
    return top == PROJECT and (in_folder or STUDIO_FILES.fullmatch(inside) is not None)


def is_updated(files: Mapping[str, bytes]) -> bool:
    """Whether a newer Lens Studio has written the project file, and for the same scene.

    Args:
        files: of the bundle.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    project = project_files(files)
    for path, content in project.items():
        if path.endswith(PROJECT_SUFFIX) and "/" not in path:
            return _is_newer(_parsed(content, path), written_studio(project))
    return False


def studio_edits(
    files: Mapping[str, bytes],
    changed: Collection[str],
    is_original: Callable[[str, bytes], bool],
) -> dict[str, str]:
    """Says what Lens Studio did to files, by path; others that changed are left out.

    Whether an updated project still works is for the linter and the player to say.

    Args:
        files: of the bundle as they are now.
        changed: those that are not as the bundle was written.
        is_original: whether the file at a path was written with some content.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    edits = {}
    updated = bool(changed) and is_updated(files)
    for path in changed:
        top, _, inside = path.partition("/")
        if top != PROJECT:
            continue
        if inside.endswith(".js"):
            source = _before_component(files[path])
            if any(is_original(path, text) for text in (source, source.lstrip(b"\r\n"))):
                edits[path] = "Lens Studio put //@component before the script"
        elif updated and inside.endswith(PROJECT_SUFFIX) and "/" not in inside:
            edits[path] = "a newer Lens Studio updated the project"
        elif (
            updated
            and inside.startswith(ASSETS)
            and inside.endswith(META_SUFFIX)
            and _is_plain_meta(_parsed(files[path], path))
        ):
            edits[path] = "a newer Lens Studio wrote it again"
    return edits


def _before_component(content: bytes) -> bytes:
    """Returns a script as it was before Lens Studio put a line before it."""
    added = COMPONENT_LINE.match(content)
    return content[added.end() :] if added else content


def _parsed(content: bytes, path: str) -> Any:
    """Returns a document of Lens Studio; None for what is not one."""
    try:
        return parse_lens_yaml(content.removeprefix(BOM), path)
    except BundleError:
        return None


def _is_newer(settings: Any, written: Studio) -> bool:
    version = tuple(
        _number(settings, "studioVersion", part) for part in ("major", "minor", "patch")
    )
    return (
        field_of(settings, "sceneId") == SCENE_ID
        and version > written.version
        and all(_number(settings, name) > number for name, number in written.numbers.items())
    )


def _number(node: Any, *keys: str) -> float:
    value = field_of(node, *keys)
    return float(value) if isinstance(value, int | float) else 0.0


def _is_plain_meta(document: Any) -> bool:
    """Whether it describes an import that loses nothing and adds no code to a script.

    Its ids and settings are compared with scene and model by the linter.
    """
    entities = document if isinstance(document, list) else []
    if not entities or not all(isinstance(entity, Tagged) for entity in entities):
        return False
    coded = any(field_of(node, "SetupScript", "code") for node in entities)
    compressors = {field_of(node, "CompressorName") for node in tagged_nodes(entities)}
    return entities[0].kind == META_KIND and not coded and compressors <= {None, "None"}
