"""Ids of a Lens Studio project: their form, who defines them, and who refers to them."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.lint.files import Project, error, warning
from mobile_nelf_exporters.lens.studio.yaml import NIL, Tagged, references, tagged_nodes

__all__ = ["check_id", "check_ids", "check_references"]

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: Of 32 random hexadecimal digits about 14 differ; one id in 10¹¹ has six different ones or less.
MIN_DISTINCT_DIGITS = 7
#: Of 31 neighbours among random digits about two count up; one id in 10⁷ has ten that do.
MAX_COUNTING_DIGITS = 10
#: Ids that were counted by hand share all but their last digits; random ones share none.
COUNTED_DIGITS = 4

#: Lens Studio itself counts a few objects of its templates like this, always inside of scenes.
COUNTED_BY_LENS_STUDIO = "00000000-0000-0065-0000-"

NEW_ID = "give it a fresh random id (version 4), also where it is referred to"


def check_id(path: str, identity: str) -> Iterator[Finding]:
    """Finds an id that is none, or that somebody made up instead of drawing it."""
    if UUID.fullmatch(identity) is None:
        yield error(
            path,
            f"{identity!r} is not a UUID, expected 32 hexadecimal digits as 8-4-4-4-12",
            NEW_ID,
        )
        return
    digits = [int(digit, 16) for digit in identity.replace("-", "")]
    counting = sum(b == (a + 1) % 16 for a, b in itertools.pairwise(digits))
    # It works as long as no other project that it meets has made up the same.
    if len(set(digits)) < MIN_DISTINCT_DIGITS or counting >= MAX_COUNTING_DIGITS:
        yield warning(path, f"id {identity} looks like a placeholder", NEW_ID)


def _defined_ids(entities: list[Tagged]) -> list[str]:
    """Ids of all entities in a file, those inside of others included."""
    return [node.id for node in tagged_nodes(entities) if node.id]


def check_ids(project: Project) -> Iterator[Finding]:
    """Finds malformed, placeholder, counted and doubled ids."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, entities in project.documents.items():
        within = Counter(_defined_ids(entities))
        for identity, count in within.items():
            if count > 1:
                yield error(path, f"defines the id {identity} {count} times", NEW_ID)
            if not identity.startswith(COUNTED_BY_LENS_STUDIO):
                yield from check_id(path, identity)
    for meta in project.metas.values():
        places[meta.file_id].append(meta.path)
        for identity in meta.kinds:
            places[identity].append(meta.path)
            if identity == meta.file_id:
                yield error(
                    meta.path,
                    f"file and asset have the same id {identity}",
                    "give the file a fresh id in the first line; the scene refers to the asset's",
                )
            elif identity not in _native_ids(project, meta.asset_path):
                yield from check_id(meta.path, identity)
    for identity, paths in places.items():
        others = sorted(set(paths))
        if len(others) > 1:
            yield error(others[1], f"uses the id {identity} that {others[0]} uses already", NEW_ID)
    yield from _check_counted(places)


def _native_ids(project: Project, path: str) -> set[str]:
    """Ids that were judged already, where they are defined."""
    return set(_defined_ids(project.documents.get(path, [])))


def _check_counted(places: dict[str, list[str]]) -> Iterator[Finding]:
    starts: dict[str, list[str]] = defaultdict(list)
    for identity in places:
        starts[identity[:-COUNTED_DIGITS]].append(identity)
    for start, members in starts.items():
        if len(members) > 1 and UUID.fullmatch(members[0]):
            yield warning(
                places[members[1]][0],
                f"{len(members)} ids differ in their last digits only: {start}…",
                NEW_ID,
            )


def check_references(project: Project) -> Iterator[Finding]:
    """Finds owned entities and references that lead nowhere.

    What a package defines cannot be seen, so unresolved references are not judged where there are
    packages. Lens Studio takes those that it cannot resolve as empty; where that breaks a Lens the
    rules about scenes say so.
    """
    files = {meta.file_id: meta for meta in project.metas.values()}
    defined = {path: set(_defined_ids(found)) for path, found in project.documents.items()}
    known = project.asset_kinds.keys() | set().union(*defined.values()) - files.keys()
    for path, entities in project.documents.items():
        here = defined[path]
        for identity in sorted(_owned(entities) - here):
            yield error(
                path,
                f"owns an entity {identity} that the file does not define",
                "restore the entity or remove the line that owns it",
            )
        if not path.startswith("Assets/"):
            continue
        for wanted, identity in dict.fromkeys(references(entities)):
            kind = f"{wanted} " if wanted else ""
            # A list of references is tagged as well; what is in it comes by itself.
            if identity in known or wanted.endswith("[]"):
                continue
            if identity in files:
                meta = files[identity]
                yield error(
                    path,
                    f"refers to the {kind}{identity}, which {meta.path} gives to the file itself",
                    f"refer to the asset's id, {meta.primary or 'in its meta'}",
                )
            elif not project.has_packages:
                yield warning(
                    path,
                    f"refers to the {kind}{identity}, which nothing in the project defines",
                    "restore the asset and its meta, or choose another one in Lens Studio",
                )


def _owned(entities: list[Tagged]) -> set[str]:
    return {
        str(node.value)
        for node in tagged_nodes(entities)
        if node.tag == "own" and node.value != NIL
    }
