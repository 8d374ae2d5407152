"""Files that are not photos, or photos of formats that are not read: what they are, what to do."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mobile_nelf.errors import SceneError

__all__ = [
    "FORMATS",
    "HEIF_BRANDS",
    "PIXEL_LIMIT",
    "RAW_SUFFIXES",
    "raw_photo",
    "too_large",
    "unreadable",
]

#: The only decoders that foreign files reach; Pillow has some fifty.
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
EXPECTED = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
#: A photo of 8-bit RGBA has four times as many bytes; phones take up to 50 million pixels unasked.
PIXEL_LIMIT = 80_000_000
#: Starts of files that people take for photos, what they are, and what to do.
FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer, not the photo itself; run `git lfs pull`"),
    (b"<!doctype", "a web page, not a photo; download the file itself"),
    (b"<html", "a web page, not a photo; download the file itself"),
    (b"<?xml", "an XML file, not a photo; download the file itself"),
    (b"GIF8", "a GIF, expected {formats}; convert it to PNG"),
    (b"BM", "a BMP, expected {formats}; convert it to PNG"),
    (b"v/1\x01", "an OpenEXR picture, expected {formats}; convert it to 8-bit PNG"),
    (b"#?RADIANCE", "a Radiance HDR picture, expected {formats}; convert it to 8-bit PNG"),
    (b"\xff\x0a", "a JPEG XL picture, expected {formats}; convert it to PNG"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture, expected {formats}; convert it to PNG"),
)
#: Brands of HEIF containers; the photos of iPhones are among them.
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
AVIF_BRANDS = (b"avif", b"avis")
#: Raw photos; many are TIFF files, of which Pillow would read the preview.
RAW_SUFFIXES = (".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")


def too_large(path: Path, size: tuple[int, int] | None = None) -> SceneError:
    """Returns the error for a photo of more than `PIXEL_LIMIT` pixels."""
    what = f"{size[0]}×{size[1]} pixels, more than" if size else "more than"
    return SceneError(
        f"{path}: has {what} {PIXEL_LIMIT // 1_000_000} million{'' if size else ' pixels'}; scale "
        "the photos down"
    )


def raw_photo(path: Path) -> SceneError:
    """Returns the error for a photo as the sensor took it."""
    return SceneError(
        f"{path}: is a raw photo, expected {EXPECTED}; develop the photos to JPEG or PNG"
    )


def unreadable(path: Path, error: Exception) -> SceneError:
    """Returns the error for a file that Pillow refused, which says what it is and what to do."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError:
        return SceneError(f"{path}: not a readable image ({error})")
    if not start:
        return SceneError(f"{path}: not a readable image (the file is empty)")
    if path.suffix.lower() in RAW_SUFFIXES:
        return raw_photo(path)
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return SceneError(
            f"{path}: is a HEIC photo, expected {EXPECTED}; convert the photos to JPEG, on a Mac "
            "with `sips -s format jpeg`, elsewhere with `heif-convert`, and on an iPhone set "
            "Settings > Camera > Formats to Most Compatible"
        )
    if start[4:8] == b"ftyp" and start[8:12] in AVIF_BRANDS:
        return SceneError(f"{path}: is an AVIF picture, expected {EXPECTED}; convert it to PNG")
    for magic, what in FOREIGN:
        if start.startswith(magic) or start.lstrip().lower().startswith(magic):
            return SceneError(f"{path}: is {what.format(formats=EXPECTED)}")
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return too_large(path)
    if isinstance(error, UnidentifiedImageError):
        return SceneError(f"{path}: not a readable image of {EXPECTED}")
    return SceneError(f"{path}: not a readable image ({error})")
