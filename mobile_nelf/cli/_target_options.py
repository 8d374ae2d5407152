"""The options of all targets, made from what each target declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from mobile_nelf.cli._options import option_text
from mobile_nelf.errors import InputError
from mobile_nelf.export.options import Option, options_of
from mobile_nelf.export.targets import exporter_targets, target_options

__all__ = ["target_help", "target_options_of_all"]

F = TypeVar("F", bound=Callable[..., Any])


def target_help(purpose: str) -> str:
    """Returns the help of `--target`, with the names of the installed targets."""
    return f"{purpose}: {', '.join(exporter_targets())}."


def target_options_of_all(command: F) -> F:
    """Adds the options of every installed target; the values arrive by name in `**chosen`.

    An option of one target alone says so in its help. What the chosen target does not have is
    refused by the library.
    """
    targets = exporter_targets()
    found: dict[str, dict[str, Option]] = {}
    for target in targets:
        for declared in options_of(target_options(target)):
            found.setdefault(declared.name, {})[target] = declared
    # Shared ones first; the decorator that is applied last is the first in the help text.
    ordered = sorted(found, key=lambda name: len(found[name]) == 1)
    for name in reversed(ordered):
        command = _click_option(name, found[name], everywhere=len(found[name]) == len(targets))(
            command
        )
    return command


def _click_option(name: str, declared: dict[str, Option], *, everywhere: bool) -> Callable[[F], F]:
    """Returns the decorator for an option that one or several targets declare.

    Raises:
        InputError: targets declare it with different types.
    """
    first, *others = declared.values()
    for other in others:
        if (first.type, first.many, bool(first.words)) != (
            other.type,
            other.many,
            bool(other.words),
        ):
            raise InputError(
                f"targets {' and '.join(declared)} have an option {name} of different types; "
                "uninstall one of them"
            )
    text = first.help if everywhere else f"{first.help} For {', '.join(declared)}."
    if first.type is bool:
        return click.option(option_text(name), name, is_flag=True, help=text)
    words = tuple(dict.fromkeys(word for found in declared.values() for word in found.words))
    return click.option(
        option_text(name),
        name,
        type=click.Choice(words) if words else first.type,
        multiple=first.many,
        metavar=first.metavar or None,
        help=text,
    )
