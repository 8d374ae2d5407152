"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobile_nelf.errors import OutputError

__all__ = ["partial_path", "refuse_existing", "replace_file", "replacing", "written_beside"]


def refuse_existing(output: Path, force: bool) -> None:
    """Refuses to replace what is there, unless asked to.

    Raises:
        OutputError: `output` exists and `force` is not set.
    """
    if output.exists() and not force:
        raise OutputError(
            f"{output}: exists already; choose another output or set force",
            arguments=["output", "force"],
        )


@contextmanager
def written_beside(output: Path) -> Iterator[Path]:
    """Yields a path for a new file or folder that takes the place of `output` at the end.

    An error or an interruption leaves `output` as it was. The folder of `output` must exist.

    Raises:
        OutputError: the file system refuses.
    """
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.absolute().parent))
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror})") from error
    try:
        partial = scratch / output.name
        yield partial
        if output.is_dir() and partial.is_dir():  # a file never takes the place of a folder
            output.rename(scratch / "replaced")
        os.replace(partial, output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def partial_path(path: Path) -> Path:
    """Returns where `replacing` writes the new content of `path`."""
    return path.with_name(path.name + ".partial")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path for a new file that takes the place of `path` at the end.

    For the folder of a run, which may be killed at any moment: that leaves `path` as it was, and
    beside it at most one file, which the next attempt overwrites.

    Raises:
        OSError: the file system refuses.
    """
    partial = partial_path(path)
    try:
        yield partial
        os.replace(partial, path)
    except Exception:
        partial.unlink(missing_ok=True)
        raise


def replace_file(path: Path, content: bytes) -> None:
    """Puts a whole file at `path`; a kill or a power failure leaves the old one or the new one.

    Raises:
        OSError: the file system refuses.
    """
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
