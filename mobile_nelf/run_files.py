"""What a run writes: its output, the settings beside it, and a folder for what it needs meanwhile.

For the output `mic.pt` that is `mic.pt.config.json` and the folder `mic.pt.run`.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from mobile_nelf.atomic import refuse_existing, written_beside
from mobile_nelf.errors import OutputError

__all__ = ["check_output", "config_path", "make_run_folder", "run_folder", "write_settings"]


def run_folder(output: Path) -> Path:
    """Returns the folder of a run that writes `output`: its state, log and sample frames."""
    return output.with_name(output.name + ".run")


def config_path(output: Path) -> Path:
    """Returns the file beside `output` that says how it was made."""
    return output.with_name(output.name + ".config.json")


def check_output(output: Path, force: bool) -> None:
    """Refuses the file to write before hours of work.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
    """
    if output.is_dir():
        raise OutputError(f"{output}: is a directory, expected a file to write")
    refuse_existing(output, force)
    folder = output.absolute().parent
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); choose another --output"
        ) from error


def make_run_folder(folder: Path) -> None:
    """Makes the folder of a run unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be made ({error.strerror}), expected a folder for the run's files; "
            "choose another --output"
        ) from error


def write_settings(settings: dict[str, Any], path: Path) -> None:
    """Writes what a run was told, in plain values.

    Raises:
        OutputError: the file cannot be written.
    """
    with written_beside(path) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
