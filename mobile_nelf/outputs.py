"""What an output may replace, said before any work is done for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from mobile_nelf.atomic import clear_leftovers
from mobile_nelf.errors import OutputError

__all__ = ["check_output", "files_below", "names_text", "refuse_existing", "refuse_inputs"]

#: Written by a file manager, and nobody's work.
NOBODYS = (".DS_Store",)

#: Names that a message lists.
SHOWN = 5


def check_output(
    output: Path, force: bool, inputs: Iterable[Path] = (), *, argument: str = "output"
) -> None:
    """Refuses an output that would replace what nobody asked to replace.

    Args:
        output: the file or folder to write.
        force: replace what is there, unless the command reads it.
        inputs: files and folders that the command reads.
        argument: what the caller names the output.

    Raises:
        OutputError: `output` exists and `force` is not set, is an input or holds one, is a file
            inside of one that exists, or is a link that leads nowhere.
    """
    refuse_inputs(output, inputs, argument=argument)
    clear_leftovers(output.absolute().parent)
    refuse_existing(output, force, argument=argument)
    for given in inputs if output.exists() else ():
        if _real(given) in _real(output).parents:
            raise OutputError(
                f"{output}: exists already and lies in the input {given}, whose files force does "
                f"not replace; choose another {argument}",
                arguments=[argument],
            )


def refuse_inputs(output: Path, inputs: Iterable[Path], *, argument: str = "output") -> None:
    """Refuses an output that is an input of the same command, or a link that leads nowhere.

    Raises:
        OutputError: that is so.
    """
    if output.is_symlink() and not output.exists():
        raise OutputError(
            f"{output}: is a link to {os.readlink(output)}, which does not exist; remove the link "
            f"or choose another {argument}",
            arguments=[argument],
        )
    for given in inputs:
        if _real(output) == _real(given) or _is_same(output, given):
            raise OutputError(
                f"{output}: is an input of this command; choose another {argument}",
                arguments=[argument],
            )
        if output.exists() and _real(output) in _real(given).parents:
            raise OutputError(
                f"{output}: contains {given}, which is an input of this command; choose another "
                f"{argument}",
                arguments=[argument],
            )


def refuse_existing(output: Path, force: bool, *, argument: str = "output") -> None:
    """Refuses to replace what is there, unless asked to.

    Raises:
        OutputError: `output` exists and `force` is not set.
    """
    if output.exists() and not force:
        raise OutputError(
            f"{output}: exists already; choose another {argument} or set force",
            arguments=[argument, "force"],
        )


def files_below(folder: Path) -> Iterator[str]:
    """Yields files and links below a folder as relative POSIX paths, none of them followed."""
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(parent, name))]
        for name in (*files, *links):
            if name not in NOBODYS:
                yield Path(parent, name).relative_to(folder).as_posix()


def names_text(names: Collection[str]) -> str:
    """Returns the first of some names, and how many more there are."""
    shown = ", ".join(sorted(names)[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _is_same(first: Path, second: Path) -> bool:
    """Whether both are one file, as hard links and other spellings of a name are."""
    try:
        return first.samefile(second)
    except OSError:
        return False
