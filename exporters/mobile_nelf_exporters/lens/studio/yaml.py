"""Reads the YAML of Lens Studio: sequences of entities whose tags carry type and id."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobile_nelf.errors import BundleError
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    import yaml

__all__ = [
    "NIL",
    "Tagged",
    "defined_entities",
    "field_of",
    "owned_ids",
    "parse_lens_yaml",
    "reference_id",
    "references",
    "tagged_nodes",
]

#: The id of nothing.
NIL = "00000000-0000-0000-0000-000000000000"

#: Line breaks in YAML 1.1, which is what is read here, and plain text in Lens Studio's YAML.
TEXT_BREAKS = ("\u2028".encode(), "\u2029".encode(), "\u0085".encode())

#: Files of Lens Studio reach a tenth; libyaml's composer recurses on the stack without a limit.
MAX_DEPTH = 100

#: What PyYAML raises, besides its own errors, for scalars that are not what their tags say.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class Tagged:
    """A node with a tag of Lens Studio's.

    Attributes:
        tag: without the exclamation mark: `Camera/<id>`, `own`, `reference.MLAsset`, …
        value: a mapping, a list or, for scalars, their text.
    """

    tag: str
    value: Any

    @property
    def kind(self) -> str:
        """`Camera` of `Camera/<id>`; the tag itself where it has no id."""
        return self.tag.partition("/")[0]

    @property
    def id(self) -> str:
        """The id in the tag; empty where it has none."""
        return self.tag.partition("/")[2]


def parse_lens_yaml(content: bytes, path: str) -> Any:
    """Returns the document of a scene, meta, render target or `.esproj`, tags kept as `Tagged`.

    Args:
        content: of the file.
        path: of the file, for errors.

    Raises:
        BundleError: it is not YAML, or YAML that Lens Studio does not write (anchors, a key twice,
            hundreds of levels).
        MissingExtraError: PyYAML is not installed.
    """
    yaml = import_extra("yaml", "lens")
    for text_break in TEXT_BREAKS:
        content = content.replace(text_break, b" ")
    loader = _loader(yaml)
    try:
        _check_events(yaml.parse(content, loader), yaml, path)
        return yaml.load(content, loader)
    except (yaml.YAMLError, *UNREADABLE) as error:
        reason = " ".join(str(error).split())
        raise BundleError(f"{path}: is not readable as YAML ({reason})") from error


def _check_events(events: Iterator[Any], yaml: Any, path: str) -> None:
    """Refuses what would unfold or recurse without end."""
    depth = 0
    for event in events:
        # One file holds a few hundred nodes; an alias could unfold them to any number.
        if getattr(event, "anchor", None):
            raise BundleError(f"{path}: has YAML anchors, which Lens Studio does not write")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise BundleError(
                f"{path}: is nested deeper than the {MAX_DEPTH} levels that are read here"
            )


@functools.cache
def _loader(yaml: Any) -> type[yaml.SafeLoader]:
    # The same rules in C, ten times as fast, where PyYAML was built with libyaml.
    base = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

    class TaggedLoader(base):  # type: ignore[misc,valid-type]  # imported late
        """Keeps unknown tags instead of refusing them, and refuses a key that stands twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
            seen = set()
            for name, _ in node.value if len(mapping) < len(node.value) else ():
                key = self.construct_object(name, deep=True)
                if key in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key!r} stands twice in one mapping", name.start_mark
                    )
                seen.add(key)
            return mapping

    def keep_tag(loader: Any, tag: str, node: Any) -> Tagged:
        if isinstance(node, yaml.MappingNode):
            return Tagged(tag, loader.construct_mapping(node, deep=True))
        if isinstance(node, yaml.SequenceNode):
            return Tagged(tag, loader.construct_sequence(node, deep=True))
        return Tagged(tag, loader.construct_scalar(node))

    TaggedLoader.add_multi_constructor("", keep_tag)
    return TaggedLoader


def tagged_nodes(value: Any) -> Iterator[Tagged]:
    """Yields every tagged node at or below `value`."""
    if isinstance(value, Tagged):
        yield value
        yield from tagged_nodes(value.value)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tagged_nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from tagged_nodes(item)


def references(value: Any) -> Iterator[tuple[str, str]]:
    """Yields type (`MLAsset`; empty if untyped) and id of each reference that is not nil."""
    for node in tagged_nodes(value):
        kind, _, wanted = node.tag.partition(".")
        # A list of references has such a tag itself.
        if kind == "reference" and isinstance(node.value, str) and node.value != NIL:
            yield wanted, node.value


def field_of(node: Any, *keys: str) -> Any:
    """The value below `keys` in nested mappings, tagged or not; None where there is none."""
    for key in keys:
        if isinstance(node, Tagged):
            node = node.value
        node = node.get(key) if isinstance(node, dict) else None
    return node


def reference_id(node: Any) -> str:
    """The id in a reference or in what owns an entity; empty for nil and for anything else."""
    if isinstance(node, Tagged) and node.tag.partition(".")[0] in ("reference", "own"):
        return "" if node.value == NIL else str(node.value)
    return ""


def defined_entities(value: Any) -> dict[str, Tagged]:
    """Entities at or below `value` by id, those inside of others included."""
    return {node.id: node for node in tagged_nodes(value) if node.id}


def owned_ids(value: Any) -> list[str]:
    """The id at each place at or below `value` that owns an entity; nil is left out."""
    return [
        str(node.value) for node in tagged_nodes(value) if node.tag == "own" and node.value != NIL
    ]
