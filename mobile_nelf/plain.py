"""Strict reading and writing of frozen dataclass configs.

A config file with a key nobody reads is a mistake that the user should hear about, so `from_dict`
refuses unknown keys, missing keys and wrong types, and names the path to the key.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from typing import Any, TypeVar

from mobile_nelf.errors import ConfigError
from mobile_nelf.parsing import MAX_INTEGER, shown

__all__ = ["check_choices", "from_dict", "if_known", "to_dict"]

T = TypeVar("T")
#: Mark of the fields of `if_known`.
ONLY_IF_KNOWN = "only_if_known"


def to_dict(config: Any) -> dict[str, Any]:
    """Returns a config as nested plain dicts and lists, ready for JSON."""
    return {
        field.name: _to_plain(value)
        for field in dataclasses.fields(config)
        for value in [getattr(config, field.name)]
        if value is not None or not field.metadata.get(ONLY_IF_KNOWN)
    }


def if_known() -> Any:
    """Declares a field that is None while unknown, and is not written then.

    What was written before the field existed, and what does not know it, then looks the same.
    """
    return dataclasses.field(default=None, metadata={ONLY_IF_KNOWN: True})


def _to_plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, (tuple, list)):
        return [_to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return value


def from_dict(cls: type[T], data: Any, path: str = "") -> T:
    """Builds the frozen dataclass `cls` from plain data.

    Args:
        cls: a dataclass whose fields are scalars, literals, tuples, dicts or such dataclasses.
        data: what JSON or a checkpoint held.
        path: where `data` stands in the whole, for messages (`"contract.student"`).

    Raises:
        ConfigError: unknown or missing keys, a wrong type, or a value that `cls` itself refuses.
    """
    where = path or cls.__name__
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected a mapping, found {type(data).__name__}")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in data if key not in fields)
    if unknown:
        raise ConfigError(
            f"{where}: unknown key {shown(unknown[0])}, expected one of {sorted(fields)}"
        )
    hints = _type_hints(typing.cast(Any, cls))
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: key {name!r} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def check_choices(config: Any) -> None:
    """Checks what type checkers see and Python does not: the values of fields that are literals.

    For `__post_init__` of a config, which people also build by hand.

    Raises:
        ValueError: a value is none of the choices; the message names field and choices.
    """
    for name, hint in _type_hints(typing.cast(Any, type(config))).items():
        if typing.get_origin(hint) is typing.Literal:
            value, choices = getattr(config, name), typing.get_args(hint)
            if not any(value == choice and type(value) is type(choice) for choice in choices):
                expected = ", ".join(map(str, choices))
                raise ValueError(f"unknown {name} {value!r}, expected one of {expected}")


@functools.cache
def _type_hints(cls: type[Any]) -> dict[str, Any]:
    # Annotations are text, which is evaluated anew at each call.
    return typing.get_type_hints(cls)


def _convert(hint: Any, value: Any, path: str) -> Any:
    if hint is Any:
        return value
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (only,) = (argument for argument in arguments if argument is not type(None))
        return _convert(only, value, path)
    if origin is typing.Literal:
        # Literals are matched with their type: True equals 1 and 2.0 equals 2, neither is meant.
        if any(value == choice and type(value) is type(choice) for choice in arguments):
            return value
        raise ConfigError(f"{path}: expected one of {list(arguments)}, found {shown(value)}")
    if origin is tuple:
        return _convert_tuple(arguments, value, path)
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{path}: expected a mapping, found {type(value).__name__}")
        return {
            _convert(arguments[0], key, f"{path}: key"): _convert(
                arguments[1], item, f"{path}.{key}"
            )
            for key, item in value.items()
        }
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast("type[Any]", hint), value, path)
    # JSON writes 2.0 as 2 in some hands; the reverse would lose digits and is refused.
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) <= MAX_INTEGER else value
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ConfigError(f"{path}: expected {hint.__name__}, found {shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{path}: expected a finite number, found {shown(value)}")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise ConfigError(f"{path}: expected an integer up to 2⁵³, found {shown(value)}")
    return value


def _convert_tuple(arguments: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, (tuple, list)):
        raise ConfigError(f"{path}: expected a list, found {type(value).__name__}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_convert(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise ConfigError(f"{path}: expected {len(arguments)} values, found {len(value)}")
    return tuple(
        _convert(argument, item, f"{path}[{i}]")
        for i, (argument, item) in enumerate(zip(arguments, value, strict=True))
    )
