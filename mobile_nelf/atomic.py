"""Outputs that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobile_nelf.errors import OutputError

__all__ = ["refuse_existing", "written_beside"]


def refuse_existing(output: Path, force: bool) -> None:
    """Refuses to replace what is there, unless asked to.

    Raises:
        OutputError: `output` exists and `force` is not set.
    """
    if output.exists() and not force:
        raise OutputError(f"{output}: exists already; choose another --output or add --force")


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
