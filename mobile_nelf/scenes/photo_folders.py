"""Folders of photos at several scales, as COLMAP and LLFF scenes have them."""

from __future__ import annotations

from pathlib import Path

from mobile_nelf.scenes.files import PHOTO_SUFFIXES

__all__ = ["photo_folders", "photos_in"]


def photo_folders(path: Path) -> list[Path]:
    """Returns `images` and the folders with scaled copies, `images_2` and so on, largest first."""
    scaled = [
        (int(folder.name.removeprefix("images_")), folder)
        for folder in path.glob("images_*")
        if folder.is_dir() and folder.name.removeprefix("images_").isdecimal()
    ]
    whole = path / "images"
    return [*([whole] if whole.is_dir() else []), *(folder for _, folder in sorted(scaled))]


def photos_in(folder: Path) -> list[Path]:
    """Returns the photos right in a folder, by name."""
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTO_SUFFIXES)
