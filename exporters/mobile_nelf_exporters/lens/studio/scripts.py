"""What a script of Lens Studio declares: the inputs that its component shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SCALARS", "ScriptInput", "script_inputs"]

#: Types of inputs that hold one value.
SCALARS = ("bool", "float", "int", "string")

#: `//@input Asset.MLAsset model {"hint":"…"}`, `//@input float size = 1.0`; the prefix of the type
#: says nothing more.
INPUT = re.compile(
    r"^[ \t]*//[ \t]*@input[ \t]+(?P<owner>Asset\.|Component\.)?(?P<type>[\w.]+(?:\[\])?)"
    r"[ \t]+(?P<name>\w+)"
    r"(?:[ \t]*=[ \t]*(?P<default>\"[^\"\n]*\"|'[^'\n]*'|[^{\n]*))?(?P<rest>[^\n]*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class ScriptInput:
    """An input that a script declares.

    Attributes:
        type: such as `MLAsset`, `float` or `Texture[]`.
        is_reference: whether it refers to an asset, a component or an object.
        optional: whether the script says that it may stay empty.
        default: of a new component, as the script writes it; empty if it gives none.
    """

    type: str
    is_reference: bool
    optional: bool
    default: str

    @property
    def is_scalar(self) -> bool:
        """Whether it holds one value."""
        return self.type in SCALARS


def script_inputs(source: bytes) -> dict[str, ScriptInput]:
    """Returns the inputs that a JavaScript file declares, by name and in order."""
    return {
        match["name"]: ScriptInput(
            type=match["type"],
            is_reference=bool(match["owner"]) or match["type"].startswith("SceneObject"),
            optional="optional" in match["rest"].lower(),
            default=(match["default"] or "").strip(),
        )
        for match in INPUT.finditer(source.decode("utf-8", errors="replace"))
    }
