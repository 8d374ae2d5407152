"""Reads the YAML of Lens Studio: sequences of entities whose tags carry type and id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobile_nelf.errors import BundleError
from mobile_nelf.extras import import_extra

if TYPE_CHECKING:
    import yaml

__all__ = ["NIL", "Tagged", "parse_lens_yaml", "references", "tagged_nodes"]

#: The id of nothing.
NIL = "00000000-0000-0000-0000-000000000000"


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
        BundleError: it is no YAML, or YAML that Lens Studio does not write (anchors).
        MissingExtraError: PyYAML is not installed.
    """
    yaml = import_extra("yaml", "lens")
    try:
        # One file holds a few hundred nodes; an alias could unfold them to any number.
        if any(getattr(event, "anchor", None) for event in yaml.parse(content, yaml.SafeLoader)):
            raise BundleError(f"{path}: has YAML anchors, which Lens Studio does not write")
        return yaml.load(content, _loader(yaml))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise BundleError(f"{path}: is not readable as YAML ({reason})") from error


def _loader(yaml: Any) -> type[yaml.SafeLoader]:
    class TaggedLoader(yaml.SafeLoader):  # type: ignore[misc]  # imported late
        """Keeps unknown tags instead of refusing them."""

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
        if kind == "reference" and node.value != NIL:
            yield wanted, str(node.value)
