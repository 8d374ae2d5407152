"""What bundles to make: everything that can be refused before any work is done for them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_nelf.atomic import refuse_existing
from mobile_nelf.bundles.manifest import MANIFEST_NAME
from mobile_nelf.bundles.measured import MEASUREMENTS_FOLDER, stored_names
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.export.check import NO_CHOICES
from mobile_nelf.export.exporter import Exporter, find_exporter
from mobile_nelf.export.options import is_chosen, make_options, options_of

__all__ = ["BundlePlan", "plan_bundle", "plan_bundles"]


@dataclass(frozen=True)
class BundlePlan:
    """A bundle to be made.

    Attributes:
        exporter: of its target.
        options: what the exporter would choose by itself, as its options dataclass.
        output: folder to write.
        name: of the project inside.
        force: replace an existing bundle.
    """

    exporter: Exporter[Any]
    options: Any
    output: Path
    name: str
    force: bool


def plan_bundle(
    target: str,
    output: Path,
    *,
    name: str | None = None,
    options: Mapping[str, object] = NO_CHOICES,
    force: bool = False,
) -> BundlePlan:
    """Returns the plan of one bundle.

    Args:
        target: name of an installed exporter, such as `onnx`.
        output: folder to write.
        name: of the project inside; made from that of `output` if `None`.
        options: what the exporter would choose by itself, by name.
        force: replace an existing bundle.

    Raises:
        InputError: unknown target, or an option that it does not have.
        ConfigError: it has the option, but not with this value.
        OutputError: `output` exists or cannot be written.
    """
    exporter = find_exporter(target)
    chosen = make_options(target, exporter.options, options)
    _check_output(output, force)
    return BundlePlan(exporter, chosen, output, name or _project_name(output), force)


def plan_bundles(
    targets: Sequence[str],
    stem: str,
    *,
    output: Path | None = None,
    name: str | None = None,
    options: Mapping[str, object] = NO_CHOICES,
    force: bool = False,
) -> list[BundlePlan]:
    """Returns the plans of bundles of one checkpoint, or refuses them all.

    Args:
        targets: names of installed exporters; one that is named twice counts once.
        stem: of the default folder of each bundle, `<stem>-<target>`.
        output: folder to write; for several targets the folder in which theirs lie. `None` for the
            current folder.
        name: of the projects inside; made from that of each folder if `None`.
        options: what the exporters would choose by themselves, by name. Each goes to the targets
            that have it.
        force: replace existing bundles.

    Raises:
        InputError: unknown target, or an option that none of them has.
        ConfigError: one of them has an option, but not with this value.
        OutputError: an output exists or cannot be written.
    """
    targets = list(dict.fromkeys(targets))
    if len(targets) == 1:
        (target,) = targets
        folder = output or Path(f"{stem}-{target}")
        return [plan_bundle(target, folder, name=name, options=options, force=force)]
    if output is not None and (output / MANIFEST_NAME).exists():
        raise OutputError(
            f"{output}: is a bundle, expected a folder for those of {len(targets)} targets; choose "
            "another output",
            arguments=["output"],
        )
    known = {
        target: {declared.name for declared in options_of(find_exporter(target).options)}
        for target in targets
    }
    for option, value in options.items():
        if is_chosen(value) and not any(option in names for names in known.values()):
            raise InputError(
                f"none of the targets {', '.join(targets)} has an option {option}; leave it out",
                arguments=[option],
            )
    return [
        plan_bundle(
            target,
            (output or Path()) / f"{stem}-{target}",
            name=name,
            options={option: options[option] for option in options if option in known[target]},
            force=force,
        )
        for target in targets
    ]


def _project_name(output: Path) -> str:
    """Returns a name that every target takes, from that of the output folder."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", output.absolute().name).strip("-")[:64]
    return name if name[:1].isalpha() else f"nelf-{name}"[:64]


def _check_output(output: Path, force: bool) -> None:
    """Refuses a destination early, before minutes of work."""
    refuse_existing(output, force)
    if output.exists() and not (output / MANIFEST_NAME).is_file():
        raise OutputError(
            f"{output}: is not a bundle, so force does not replace it", arguments=["force"]
        )
    if stored_names(output):
        raise OutputError(
            f"{output}: holds what a device measured, which force would delete; choose another "
            f"output, or move {output / MEASUREMENTS_FOLDER} elsewhere",
            arguments=["output"],
        )
    parent = output.absolute().parent
    existing = next(folder for folder in (parent, *parent.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise OutputError(
            f"{existing}: is not a folder that can be written; choose another output",
            arguments=["output"],
        )
