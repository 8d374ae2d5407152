"""Optional dependencies, imported where they are used."""

from __future__ import annotations

import importlib
import signal
import threading
from types import ModuleType

from mobile_nelf.errors import MissingExtraError

__all__ = ["import_extra"]


def import_extra(module: str, extra: str) -> ModuleType:
    """Imports `module`, which the optional dependency set `extra` installs.

    The signal TERM does what it did before: pycolmap takes it over to print a trace of the stack,
    after which a command hangs if it was in the middle of an allocation.

    Raises:
        MissingExtraError: it is not installed; the message names the extra.
    """
    stop = signal.getsignal(signal.SIGTERM)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # The missing one may also be what `module` itself needs, when an extra is half installed.
        missing = (error.name or module).partition(".")[0]
        raise MissingExtraError(
            f'{missing} is not installed; it comes with `pip install "mobile-nelf[{extra}]"`'
        ) from error
    finally:
        # Python remembers its own handler, and does not notice that a library set another one.
        if stop is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, stop)
