"""Which bundles were made on this machine, by this user.

A key of the user's own signs each manifest. The signature is the name of an empty file in the
user's state folder and not a file of the bundle, whose bytes are the same wherever it is made.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import secrets
from pathlib import Path

from mobile_nelf.bundles.manifest import Manifest

__all__ = ["remember", "was_made_here"]

KEY_BYTES = 32


def remember(manifest: Manifest) -> None:
    """Signs the manifest of a bundle that was just made.

    A state folder that cannot be written costs no bundle: it counts as somebody else's then, which
    is logged as a warning.
    """
    try:
        key = _key() or _new_key()
        folder = _state_folder() / "made"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / _signature(key, manifest)).touch(mode=0o600)
    except (OSError, RuntimeError) as error:
        logging.getLogger(__name__).warning(
            "the bundle cannot be signed as made on this machine (%s); verify and preview will "
            "need run_scripts; set XDG_STATE_HOME to a folder that can be written",
            error,
        )


def was_made_here(manifest: Manifest) -> bool:
    """Whether this user's key signed the manifest; every file that it lists counts with it."""
    try:
        key = _key()
        return key is not None and (_state_folder() / "made" / _signature(key, manifest)).is_file()
    except (OSError, RuntimeError):
        return False


def _state_folder() -> Path:
    """The user's folder for what programs remember (XDG Base Directory Specification).

    Raises:
        RuntimeError: the user has no home.
    """
    given = os.environ.get("XDG_STATE_HOME", "")
    # The specification: paths that are not absolute are ignored.
    folder = Path(given) if os.path.isabs(given) else Path.home() / ".local" / "state"
    return folder / "mnelf"


def _key() -> bytes | None:
    """The key; None if there is none that only this user can read and write."""
    path = _state_folder() / "key"
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    status = path.stat()
    if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.geteuid()):
        return None
    return key if len(key) == KEY_BYTES else None


def _new_key() -> bytes:
    """Makes a key, unless another process does at this moment; one that others know is replaced."""
    folder = _state_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mine = folder / f"key-{secrets.token_hex(8)}"
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
    try:
        if (folder / "key").exists() and _key() is None:
            mine.replace(folder / "key")
        # A link, unlike a rename, does not replace what another process put there.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(mine, folder / "key")
    finally:
        # Those of processes that were killed, too; whoever is still here takes the key itself.
        for left in folder.glob("key-*"):
            left.unlink(missing_ok=True)
    key = _key()
    if key is None:
        raise OSError(f"{folder / 'key'}: cannot be read")
    return key


def _signature(key: bytes, manifest: Manifest) -> str:
    return hmac.new(key, manifest.to_bytes(), hashlib.sha256).hexdigest()
