"""What bundles to make: everything that can be refused before any work is done for them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobile_nelf.bundles.manifest import MANIFEST_NAME, FileRecord, read_manifest
from mobile_nelf.bundles.measured import MEASUREMENTS_FOLDER, stored_names
from mobile_nelf.errors import BundleError, InputError, OutputError
from mobile_nelf.export.check import NO_CHOICES
from mobile_nelf.export.exporter import Exporter, find_exporter
from mobile_nelf.export.options import is_chosen, make_options, options_of
from mobile_nelf.outputs import check_output, files_below, names_text

__all__ = ["BundlePlan", "check_bundle_output", "plan_bundle", "plan_bundles"]


#: Characters of the name of a project; targets may have a narrower rule.
MAX_NAME = 64


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
    inputs: Collection[Path] = (),
) -> BundlePlan:
    """Returns the plan of one bundle.

    Args:
        target: name of an installed exporter, such as `onnx`.
        output: folder to write.
        name: of the project inside; made from that of `output` if `None`.
        options: what the exporter would choose by itself, by name.
        force: replace an existing bundle.
        inputs: files that are read for it.

    Raises:
        InputError: unknown target, an option that it does not have, or a name that no target takes.
        ConfigError: it has the option, but not with this value.
        OutputError: `output` exists or cannot be written.
    """
    exporter = find_exporter(target)
    chosen = make_options(target, exporter.options, options)
    check_bundle_output(output, force, inputs)
    name = name or _project_name(output)
    if not name.isprintable() or len(name) > MAX_NAME:
        raise InputError(
            f"name {name[:MAX_NAME]!r}: expected up to {MAX_NAME} characters in one line",
            arguments=["name"],
        )
    return BundlePlan(exporter, chosen, output, name, force)


def plan_bundles(
    targets: Sequence[str],
    stem: str,
    *,
    output: Path | None = None,
    name: str | None = None,
    options: Mapping[str, object] = NO_CHOICES,
    force: bool = False,
    inputs: Collection[Path] = (),
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
        inputs: files that are read for them.

    Raises:
        InputError: unknown target, or an option that none of them has.
        ConfigError: one of them has an option, but not with this value.
        OutputError: an output exists or cannot be written.
    """
    targets = list(dict.fromkeys(targets))
    if len(targets) == 1:
        (target,) = targets
        folder = output or Path(f"{stem}-{target}")
        return [plan_bundle(target, folder, name=name, options=options, force=force, inputs=inputs)]
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
            inputs=inputs,
        )
        for target in targets
    ]


def _project_name(output: Path) -> str:
    """Returns a name that every target takes, from that of the output folder."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", output.absolute().name).strip("-")[:64]
    return name if name[:1].isalpha() else f"nelf-{name}"[:64]


def check_bundle_output(output: Path, force: bool, inputs: Collection[Path] = ()) -> None:
    """Refuses a destination early, before minutes of work.

    Raises:
        OutputError: it exists and `force` is not set, it is or holds one of `inputs`, it holds
            anything but a bundle as mnelf wrote it, or it cannot be written.
    """
    check_output(output, force, inputs)
    if stored_names(output):
        raise OutputError(
            f"{output}: holds what a device measured, which force would delete; choose another "
            f"output, or move {output / MEASUREMENTS_FOLDER} elsewhere",
            arguments=["output"],
        )
    if output.exists():
        _refuse_work_of_others(output)
    parent = output.absolute().parent
    existing = next(folder for folder in (parent, *parent.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise OutputError(
            f"{existing}: is not a folder that can be written; choose another output",
            arguments=["output"],
        )


def _refuse_work_of_others(output: Path) -> None:
    """Refuses a folder of which force would delete more than what mnelf wrote into it."""
    if not (output / MANIFEST_NAME).is_file():
        raise OutputError(
            f"{output}: is not a bundle, so force does not replace it", arguments=["force"]
        )
    try:
        records = read_manifest(output).files
    except BundleError as error:
        raise OutputError(
            f"{output}: force replaces only a bundle with a valid manifest ({error}); choose "
            "another output, or delete this one",
            arguments=["output"],
        ) from error
    unlisted = set(files_below(output)) - {MANIFEST_NAME, *records}
    if unlisted:
        raise OutputError(
            f"{output}: contains files that its manifest does not list, which force would delete "
            f"({names_text(unlisted)}); move them elsewhere, or choose another output",
            arguments=["output"],
        )
    changed = [
        name
        for name, record in records.items()
        if (output / name).is_file() and FileRecord.of((output / name).read_bytes()) != record
    ]
    if changed:
        raise OutputError(
            f"{output}: contains files that were changed after the bundle was written, which force "
            f"would replace ({names_text(changed)}); move them elsewhere, or choose another output",
            arguments=["output"],
        )
