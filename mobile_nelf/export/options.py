"""What the user of a target may choose: fields of a frozen dataclass that the target declares.

The options of `mnelf bundle` and `mnelf check`, their help, and the refusal of what a target does
not have are made from the fields. Imports nothing heavy, so that the command line can read them.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from mobile_nelf.errors import InputError
from mobile_nelf.plain import from_dict
from mobile_nelf.vocabulary import ActivationForm, LayoutName

__all__ = ["Option", "SharedOptions", "is_chosen", "make_options", "option", "options_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class Option:
    """One field of a target's options.

    Attributes:
        name: of the field.
        help: what it means, in one sentence.
        words: the values that it can have; empty if its type is all there is to say.
        type: of its value: `str`, `int`, `float` or `bool`.
        many: whether it takes several values.
        metavar: stands for the value in a help text; empty for the default.
    """

    name: str
    help: str
    words: tuple[str, ...]
    type: type[Any]
    many: bool
    metavar: str


def option(text: str, *, many: bool = False, flag: bool = False, metavar: str = "") -> Any:
    """Returns a field of a target's options, whose default leaves the choice to the exporter.

    The field's annotation gives its values: `Literal[...] | None`, `int | None`, `float | None` or
    `str | None`; `bool` with `flag`; `tuple[Literal[...], ...]` with `many`.

    Args:
        text: what it means, in one sentence.
        many: takes several values; the default is `()`.
        flag: is asked for or not; the default is `False`.
        metavar: stands for the value in a help text.
    """
    default: object = () if many else False if flag else None
    return dataclasses.field(default=default, metadata={"help": text, "metavar": metavar})


@dataclass(frozen=True)
class SharedOptions:
    """Options that several targets have.

    Attributes:
        layout: input layout; chosen by the exporter if `None`.
        activation: how the artefact computes the activation; chosen by the exporter if `None`.
    """

    layout: LayoutName | None = option(
        "What the host uploads for each frame. Default: the best for the target."
    )
    activation: ActivationForm | None = option(
        "How the model computes the activation. Default: what the target supports."
    )


def options_of(options: type[Any]) -> tuple[Option, ...]:
    """Returns the fields of a target's options.

    Raises:
        TypeError: a field was not made by `option`, or has a type that no option can have.
    """
    hints = typing.get_type_hints(options)
    return tuple(_option(field, hints[field.name]) for field in dataclasses.fields(options))


def _option(field: dataclasses.Field[Any], hint: Any) -> Option:
    if "help" not in field.metadata:
        raise TypeError(f"option {field.name} has no help; declare it with `option(...)`")
    many = typing.get_origin(hint) is tuple
    if many:
        hint = typing.get_args(hint)[0]
    elif typing.get_origin(hint) in (typing.Union, types.UnionType):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    words: tuple[str, ...] = ()
    if typing.get_origin(hint) is Literal:
        words, hint = typing.get_args(hint), str
    if hint not in (str, int, float, bool):
        raise TypeError(f"option {field.name} is of type {hint}, expected str, int, float or bool")
    return Option(field.name, field.metadata["help"], words, hint, many, field.metadata["metavar"])


def is_chosen(value: object) -> bool:
    """Returns whether the value of an option says something; 0 does."""
    return not (value is None or value is False or value == () or value == [])


def make_options(target: str, options: type[T], chosen: Mapping[str, object]) -> T:
    """Returns the options of a target with what was chosen.

    Args:
        target: name of the exporter, for messages.
        options: dataclass of its options.
        chosen: values by name; `None`, `()` and `False` leave the choice to the exporter.

    Raises:
        InputError: the target does not have an option that was chosen.
        ConfigError: it has, but not with this value.
    """
    asked = {name: value for name, value in chosen.items() if is_chosen(value)}
    known = [found.name for found in options_of(options)]
    for name in asked:
        if name not in known:
            raise InputError(
                f"target {target} has no option {name}; it has {', '.join(known) or 'none'}",
                arguments=[name],
            )
    return from_dict(options, asked, f"options of target {target}")
