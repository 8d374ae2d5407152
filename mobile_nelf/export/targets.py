"""Which targets are installed, and what each lets its user choose, without loading an exporter.

Built-in and third-party exporters come through the same door, the entry-point group
`mobile_nelf.exporters`.
"""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mobile_nelf.errors import InputError

__all__ = ["exporter_point", "exporter_targets", "target_options"]

GROUP = "mobile_nelf.exporters"

#: Module beside that of an exporter, and its class, that hold the options alone.
OPTIONS_MODULE, OPTIONS_CLASS = "options", "Options"


def exporter_targets() -> list[str]:
    """Returns the names of the installed exporters."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def exporter_point(target: str) -> EntryPoint:
    """Returns the entry point of an exporter.

    Raises:
        InputError: no such exporter is installed, or two claim the name.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == target]
    if not points:
        raise InputError(
            f"unknown target {target!r}, expected one of {', '.join(exporter_targets())}"
        )
    if len({point.value for point in points}) > 1:
        raise InputError(
            f"target {target!r} is claimed by {' and '.join(point.value for point in points)}; "
            "uninstall one of them"
        )
    return points[0]


def target_options(target: str) -> type[Any]:
    """Returns the dataclass of a target's options.

    It is read from the module `options` beside the exporter's own, as its class `Options`, so that
    a help text loads neither torch nor the exporter; where there is none the exporter is loaded.

    Raises:
        InputError: no such exporter is installed, or it cannot be imported.
    """
    point = exporter_point(target)
    package = point.module.rpartition(".")[0]
    try:
        if package and importlib.util.find_spec(f"{package}.{OPTIONS_MODULE}"):
            module = importlib.import_module(f"{package}.{OPTIONS_MODULE}")
            if hasattr(module, OPTIONS_CLASS):
                light: type[Any] = getattr(module, OPTIONS_CLASS)
                return light
        options: type[Any] = point.load().options
    except ImportError as error:
        raise InputError(
            f"target {target!r}: {point.value} cannot be imported ({error}); reinstall or "
            "uninstall the package that brings it"
        ) from error
    return options
