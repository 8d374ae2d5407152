"""Optional dependencies, imported where they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from mobile_nelf.errors import MissingExtraError

__all__ = ["import_extra"]


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports `module`, which the optional dependency set `extra` installs.

    Raises:
        MissingExtraError: it is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The missing one may also be what `module` itself needs, when an extra is half installed.
        missing = (error.name or module).partition(".")[0]
        raise MissingExtraError(
            f'{missing} is not installed; it comes with `pip install "mobile-nelf[{extra}]"`'
        ) from error
