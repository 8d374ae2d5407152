"""Scenes of Lens Studio: which objects and components they hold, and where that breaks off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mobile_nelf.export.inspection import Finding
from mobile_nelf_exporters.lens.studio.findings import error
from mobile_nelf_exporters.lens.studio.yaml import (
    Tagged,
    defined_entities,
    field_of,
    owned_ids,
    reference_id,
)

__all__ = ["Component", "SceneObject", "ownership_holes", "read_objects"]

OBJECT = "SceneObject"

#: Lens Studio's own templates reach ten; reading recurses.
MAX_DEPTH = 100


@dataclass(frozen=True)
class Component:
    """A component of a scene object.

    Attributes:
        kind: `Camera`, `ScriptComponent`, …
        id: its uuid.
        values: its properties.
    """

    kind: str
    id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class SceneObject:
    """An object of the scene.

    Attributes:
        id: its uuid.
        name: as shown in the Scene Hierarchy.
        enabled: whether it takes part, as long as its parents do.
        components: in order.
        children: below it.
    """

    id: str
    name: str
    enabled: bool
    components: tuple[Component, ...]
    children: tuple[SceneObject, ...]


def ownership_holes(path: str, entities: list[Tagged]) -> Iterator[Finding]:
    """Finds entities with several owners, and objects where components belong or the reverse."""
    here = defined_entities(entities)
    for identity, count in Counter(owned_ids(entities)).items():
        if count > 1:
            yield error(path, f"{identity} has {count} owners", "leave it in one place only")
    wrong = {
        **dict.fromkeys(_listed(entities[0], "objects"), "a component"),
        **{i: "a component" for e in entities for i in _listed(e, "Children")},
        **{i: "an object" for e in entities for i in _listed(e, "Components")},
    }
    for identity, found in wrong.items():
        if identity in here and (here[identity].kind == OBJECT) == (found == "an object"):
            yield error(
                path,
                f"{here[identity].kind} {identity} stands where {found} cannot be",
                "objects belong into objects and Children, components into Components",
            )


def _listed(entity: Tagged, key: str) -> list[str]:
    listed = field_of(entity, key)
    return [reference_id(node) for node in listed] if isinstance(listed, list) else []


def read_objects(
    path: str, entities: list[Tagged]
) -> tuple[tuple[SceneObject, ...], list[Finding]]:
    """Returns the objects of a scene, and lists that are missing or lead nowhere.

    What does not resolve is left out, and so is the second place of an entity with several owners,
    which `ownership_holes` finds.
    """
    here = defined_entities(entities)
    seen: set[str] = set()
    holes: list[Finding] = []

    def members(owner: Tagged, key: str) -> list[Tagged]:
        listed = field_of(owner, key)
        if not isinstance(listed, list):
            holes.append(
                error(path, f"{owner.tag} has no list of {key}", "restore the lines of the list")
            )
            return []
        found = []
        for node in listed:
            identity = reference_id(node)
            entity = here.get(identity)
            if entity is None or not isinstance(entity.value, dict):
                # Owned ids are looked up in every file already.
                if identity not in owned_ids(node):
                    holes.append(
                        error(
                            path,
                            f"{owner.tag} has {identity or 'nothing'} among its {key}, expected an "
                            "entity of the file",
                            "restore the entity or remove the line",
                        )
                    )
            elif (entity.kind == OBJECT) == (key != "Components") and identity not in seen:
                seen.add(identity)
                found.append(entity)
        return found

    def read(entity: Tagged, depth: int) -> SceneObject:
        components = tuple(
            Component(component.kind, component.id, component.value)
            for component in members(entity, "Components")
        )
        children = members(entity, "Children")
        if children and depth == MAX_DEPTH:
            holes.append(
                error(
                    path,
                    f"{entity.tag} lies deeper than the {MAX_DEPTH} levels that are read here",
                    "move it up in the Scene Hierarchy",
                )
            )
            children = []
        return SceneObject(
            id=entity.id,
            name=str(entity.value.get("Name", "")),
            enabled=entity.value.get("Enabled") is not False,
            components=components,
            children=tuple(read(child, depth + 1) for child in children),
        )

    return tuple(read(root, 1) for root in members(entities[0], "objects")), holes
