"""Where the shipped templates and projects lie."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["asset_dir"]


def asset_dir(name: str) -> Path:
    """Returns the packaged copy of `name` in an installed wheel, the checkout's in an editable one.

    Raises:
        FileNotFoundError: neither exists; the installation is broken.
    """
    packaged = Path(str(files("mobile_nelf"))) / "_data" / name
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).resolve().parents[1] / name
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(f"asset directory {name!r}: neither {packaged} nor {checkout} exists")
