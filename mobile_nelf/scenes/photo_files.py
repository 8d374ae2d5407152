"""Where photos lie: folders of photos, and photos under other names than a camera file has.

Converters and other systems write backslashes, absolute paths of another machine, another suffix,
case or Unicode normal form, and photos move between `images` and its scaled copies. A photo is
looked for under its exact name, then by its name alone in the folders that may be meant.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mobile_nelf.scenes.foreign_photos import RAW_SUFFIXES

__all__ = [
    "MASKS",
    "WHOLE",
    "Located",
    "located",
    "masks_of",
    "name_keys",
    "photo_folders",
    "photos_in",
    "what_lies_at",
]

#: What is taken for a photo when a folder is listed.
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
#: Found as well, so that the message names the photo and what to do with it.
OTHER_SUFFIXES = (".heic", ".heif", ".avif", ".jxl", ".bmp", ".gif", ".exr", *RAW_SUFFIXES)
#: Blender's files leave out the suffix; some copies, and all others, write it.
IMPLIED_SUFFIXES = (".png", "", ".jpg", ".jpeg")
#: Folders of whole photos: of COLMAP and nerfstudio, of Gaussian splatting.
WHOLE = ("images", "input")
#: Whatever the case of its name.
MASKS = "masks"
#: A folder that the camera file does not name is taken if it has this many times its photos.
CLEARLY_MORE = 2
#: Entries of a folder that a message names.
NAMES_SHOWN = 5


class Located(NamedTuple):
    """Photos that were looked for.

    Attributes:
        paths: one a name; None where there is no such photo.
        notices: what was found under another name or at another place.
    """

    paths: list[Path | None]
    notices: tuple[str, ...]


def photo_folders(path: Path) -> list[Path]:
    """Returns `images`, the folders with scaled copies, `images_2` and so on, and `input`.

    The largest photos come first. COLMAP and LLFF scenes have them, `input` those of 3DGS.
    """
    scaled = [
        (int(folder.name.removeprefix("images_")), folder)
        for folder in path.glob("images_*")
        if folder.is_dir() and folder.name.removeprefix("images_").isdecimal()
    ]
    first, *others = (path / name for name in WHOLE)
    folders = [first, *(folder for _, folder in sorted(scaled)), *others]
    return [folder for folder in folders if folder.is_dir()]


def photos_in(folder: Path) -> list[Path]:
    """Returns the photos right in a folder, by name; hidden files are none."""
    return sorted(f for f in _files(folder) if f.suffix.lower() in PHOTO_SUFFIXES)


def located(root: Path, names: Sequence[str], source: Path) -> Located:
    """Looks for photos.

    All photos that the camera file has in one folder are looked for in one folder, so that photos
    of one name in two folders are never mixed up.

    Args:
        root: folder that names are relative to.
        names: as the camera file has them; nothing is looked for under an empty one.
        source: the camera file, for notices.
    """
    paths = [_exact(root, name) if name else None for name in names]
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        if name:
            groups[_parts(name)[:-1]].append(index)
    moved: list[int] = []
    for folders, indices in groups.items():
        if all(paths[index] for index in indices):
            continue
        files = [_parts(names[index])[-1] for index in indices]
        found = _best(_choices(root, folders), files)
        known = sum(paths[index] is not None for index in indices)
        whole = sum(path is not None for path in found)
        elsewhere = whole >= max(1, CLEARLY_MORE * known)
        for index, path in zip(indices, found, strict=True):
            before = paths[index]
            if elsewhere or (before is None and _in_folder_of(path, paths, indices)):
                paths[index] = path
            if paths[index] is not None and paths[index] != before:
                moved.append(index)
    return Located(paths, _moved_notice(root, names, paths, moved, source))


def masks_of(root: Path, photos: Sequence[Path | None]) -> list[Path | None]:
    """Returns the mask of each photo in the folder `masks`; None where there is none.

    The mask of `images/a/1.jpg` is `masks/a/1.png` or, as COLMAP has it, `masks/a/1.jpg.png`.
    """
    masks = _descended(root, [MASKS])
    if masks is None:
        return [None] * len(photos)
    indices: dict[Path, dict[str, list[Path]]] = {}
    found: list[Path | None] = []
    for photo in photos:
        mask = None
        for folder in () if photo is None else _mask_folders(masks, root, photo):
            if folder not in indices:
                indices[folder] = _index(folder)
            name = photo.name if photo else ""
            mask = _by_name(indices[folder], f"{name}.png") or _by_name(indices[folder], name)
            if mask is not None:
                break
        found.append(mask)
    return found


def name_keys(name: str) -> tuple[str, str]:
    """Returns by what names of one photo are the same: the path of any system, and the stem."""
    parts = _parts(name)
    return _key("/".join(parts)), _key(_stem(parts[-1]))


def what_lies_at(path: Path) -> str:
    """Says what there is at the path of a missing file, for messages."""
    folder = path.parent
    missing = ""
    while not folder.is_dir() and folder != folder.parent:
        missing = f"{folder} does not exist; "
        folder = folder.parent
    try:
        names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    except OSError:
        names = []
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{missing}{folder} holds {', '.join(names[:NAMES_SHOWN]) or 'nothing'}{more}"


def _exact(root: Path, name: str) -> Path | None:
    for suffix in IMPLIED_SUFFIXES:
        path = root / f"{name}{suffix}"
        try:
            # Unlike `Path.is_file`, this is False for names that are too long for a file.
            if os.path.isfile(path):
                return path
        except ValueError:
            continue
    return None


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a path of any system, without drive and dots; at least one."""
    parts: list[str] = []
    for part in name.replace("\\", "/").split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", "..") and not (len(part) == 2 and part[1] == ":"):
            parts.append(part)
    return tuple(parts) or (name,)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stem(name: str) -> str:
    """The name without the suffix of a picture; other dots belong to the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in PHOTO_SUFFIXES + OTHER_SUFFIXES else name


def _files(folder: Path) -> Iterator[Path]:
    return (f for f in folder.iterdir() if not f.name.startswith(".") and f.is_file())


def _index(folder: Path) -> dict[str, list[Path]]:
    """Pictures right in a folder by the key of their stem."""
    index: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(_files(folder)):
        if file.suffix.lower() in PHOTO_SUFFIXES + OTHER_SUFFIXES:
            index[_key(_stem(file.name))].append(file)
    return index


def _by_name(index: Mapping[str, Sequence[Path]], name: str) -> Path | None:
    """The picture of a folder whose name is most like this one; the stem must agree."""
    suffixes = PHOTO_SUFFIXES + OTHER_SUFFIXES
    return min(
        index.get(_key(_stem(name)), ()),
        key=lambda file: (
            file.name != name,
            _key(file.name) != _key(name),
            suffixes.index(file.suffix.lower()),
        ),
        default=None,
    )


def _choices(root: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    """Folders that a folder of the camera file may stand for, the likeliest first."""
    seen = set()
    for start in range(len(folders) + 1):
        tail = folders[start:]
        variants = [tail, *_with_copies(root, tail), (*tail, *tail[-1:])]
        if not tail:
            variants += [(folder.name,) for folder in photo_folders(root)]
        for variant in variants:
            folder = _descended(root, variant)
            if folder is not None and folder not in seen:
                seen.add(folder)
                yield folder


def _with_copies(root: Path, folders: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The same folders with another folder of photos in the place of `images` or `images_N`."""
    for place, folder in enumerate(folders):
        base = _descended(root, folders[:place])
        if base is not None and (folder in WHOLE or folder.startswith("images_")):
            for copy in photo_folders(base):
                yield (*folders[:place], copy.name, *folders[place + 1 :])


def _descended(root: Path, folders: Iterable[str]) -> Path | None:
    """The folder below `root`, whatever the case and normal form of its name."""
    for name in folders:
        below = [f for f in root.iterdir() if f.is_dir() and _key(f.name) == _key(name)]
        if not below:
            return None
        root = next((f for f in below if f.name == name), below[0])
    return root


def _best(folders: Iterable[Path], files: Sequence[str]) -> list[Path | None]:
    """The files in the first of the folders that have the most of them."""
    best: list[Path | None] = [None] * len(files)
    most = 0
    for folder in folders:
        index = _index(folder)
        found = [_by_name(index, file) for file in files]
        count = sum(path is not None for path in found)
        if count > most:
            best, most = found, count
    return best


def _in_folder_of(path: Path | None, paths: Sequence[Path | None], indices: Iterable[int]) -> bool:
    """Whether a path lies where photos of its group were found under their exact names."""
    parents = {known.parent for index in indices if (known := paths[index]) is not None}
    return path is not None and path.parent in parents


def _moved_notice(
    root: Path,
    names: Sequence[str],
    paths: Sequence[Path | None],
    moved: Sequence[int],
    source: Path,
) -> tuple[str, ...]:
    if not moved:
        return ()
    path = paths[moved[0]]
    assert path is not None
    place = path.relative_to(root) if path.is_relative_to(root) else path
    named = names[moved[0]]
    same = unicodedata.normalize("NFC", str(place)) == unicodedata.normalize("NFC", named)
    form = " (another Unicode normal form)" if same else ""
    return (
        f"{len(moved)} photos are not where {source.name} says and were found by name: {named} as "
        f"{place}{form}{', and so on' if len(moved) > 1 else ''}",
    )


def _mask_folders(masks: Path, root: Path, photo: Path) -> Iterator[Path]:
    inside = photo.parent.relative_to(root).parts if photo.is_relative_to(root) else ()
    for start in range(len(inside) + 1):
        folder = _descended(masks, inside[start:])
        if folder is not None:
            yield folder
