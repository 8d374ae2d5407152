"""Ids of a Lens Studio project: their form, who defines them, and who refers to them."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.assets import NEW_ID
from mobile_nelf_exporters.lens.studio.findings import error, warning
from mobile_nelf_exporters.lens.studio.project import LensProject
from mobile_nelf_exporters.lens.studio.yaml import Tagged, references, tagged_nodes

__all__ = ["check_id", "check_ids", "check_references"]

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: Of 32 random hexadecimal digits about 14 differ; one id in 10¹¹ has six different ones or less.
MIN_DISTINCT_DIGITS = 7
#: Of 31 neighbours among random digits about two count up; one id in 10⁷ has ten that do.
MAX_COUNTING_DIGITS = 10
#: Ids that were counted by hand share all but their last digits; random ones share none.
COUNTED_DIGITS = 4

#: Unresolved references that are named where packages keep them from being judged.
OPEN_ENDS_SHOWN = 10

#: Lens Studio itself counts a few objects of its templates like this, always inside of scenes.
COUNTED_BY_LENS_STUDIO = "00000000-0000-0065-0000-"


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


def check_ids(project: LensProject) -> Iterator[Finding]:
    """Finds malformed, placeholder and counted ids, and those that stand twice in a file."""
    places: dict[str, list[str]] = defaultdict(list)
    for path, entities in project.documents.items():
        within = Counter(_defined_ids(entities))
        for identity, count in within.items():
            if count > 1:
                yield error(path, f"defines the id {identity} {count} times", NEW_ID)
            if not identity.startswith(COUNTED_BY_LENS_STUDIO):
                yield from check_id(path, identity)
    for asset in project.imported.values():
        places[asset.file_id].append(asset.meta_path)
        for identity in asset.kinds:
            places[identity].append(asset.meta_path)
            # The other ids were judged already, where they are defined.
            native = _defined_ids(project.documents.get(asset.path, []))
            if identity != asset.file_id and identity not in native:
                yield from check_id(asset.meta_path, identity)
    yield from _check_counted(places)


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


def check_references(project: LensProject) -> Iterator[Finding]:
    """Finds references that lead nowhere.

    What a packed package defines cannot be seen, so where there is one, unresolved references are
    named and not judged. Lens Studio takes those that it cannot resolve as empty; where that breaks
    a Lens the rules about scenes say so.
    """
    open_ends: list[str] = []
    files = {asset.file_id: asset for asset in project.imported.values()}
    defined = {i for entities in project.documents.values() for i in _defined_ids(entities)}
    known = project.asset_kinds.keys() | defined - files.keys()
    for path, entities in project.documents.items():
        if not path.startswith("Assets/"):
            continue
        for wanted, identity in dict.fromkeys(references(entities)):
            kind = f"{wanted} " if wanted else ""
            # A list of references is tagged as well; what is in it comes by itself.
            if identity in known or wanted.endswith("[]"):
                continue
            if identity in files:
                asset = files[identity]
                yield error(
                    path,
                    f"refers to the {kind}{identity}, which {asset.meta_path} gives to the file "
                    "itself",
                    f"refer to the asset's id, {asset.id or 'in its meta'}",
                )
            elif project.has_packages:
                open_ends.append(f"{kind}{identity} in {path}")
            else:
                yield warning(
                    path,
                    f"refers to the {kind}{identity}, which nothing in the project defines",
                    "restore the asset and its meta, or choose another one in Lens Studio",
                )
    if open_ends:
        shown = "; ".join(open_ends[:OPEN_ENDS_SHOWN])
        more = len(open_ends) - OPEN_ENDS_SHOWN
        yield warning(
            project.sealed_packages[0],
            f"{len(open_ends)} reference(s) lead to nothing in the project and could not be "
            f"checked, for they may lead into {', '.join(project.sealed_packages)}, which cannot "
            f"be looked into: {shown}{f' and {more} more' if more > 0 else ''}",
            "unpack the package in Lens Studio, so that its assets can be seen",
        )
