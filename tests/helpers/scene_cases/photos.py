"""Photos: their formats, names, orientation and masks."""

from __future__ import annotations

import numpy as np

from tests.helpers.scene_cases.case import NAMES, Case, all_of, bounded
from tests.helpers.scene_inputs import (
    blender,
    colmap,
    content,
    converted,
    frames,
    grey,
    llff,
    masks,
    moved,
    named,
    nfc,
    plain,
    png_of,
    then,
    top,
    white,
    with_alpha,
    with_exif,
)
from tests.helpers.scenes import name, pixels, save_photo

FOUND = r"^12 photos are not where transforms\.json says and were found by name"
EXIF_KEPT = "12 photos are not turned as their EXIF orientation says"

PHOTOS = (
    Case(
        "Photos",
        "PNG, JPEG, WebP, TIFF; grey, palette, CMYK",
        "read",
        "as they are",
        {
            "PNG": plain,
            "JPEG": converted("RGB", ".jpg"),
            "WebP": converted("RGB", ".webp"),
            "TIFF": converted("RGB", ".tif"),
            "grey": converted("L"),
            "palette": converted("P"),
            "CMYK": converted("CMYK", ".jpg"),
            "black and white": converted("1"),
        },
    ),
    Case(
        "Photos",
        "grey of 16 bits",
        "read",
        "scaled to 8 bits",
        {"PNG": grey(np.uint16), "TIFF": grey(np.uint16, ".tif")},
        check=lambda scene: bool((scene.train[0].rgba()[..., 0] == pixels(1)[..., 0]).all()),
    ),
    Case(
        "Photos",
        "pixels of floating-point numbers",
        "refused",
        "save them with 8 bits",
        {"TIFF": grey(np.float32, ".tif")},
        "floating-point numbers; save it with 8 bits",
    ),
    Case(
        "Photos",
        "HEIC, AVIF, JPEG XL, BMP, GIF, OpenEXR, raw photos",
        "refused",
        "named, with what to convert them to",
        {
            "HEIC": content(b"\0\0\0\x18ftypheic\0\0\0\0"),
            "HEIC under its own suffix": content(b"\0\0\0\x18ftypmif1\0\0\0\0", ".HEIC"),
            "AVIF": content(b"\0\0\0\x18ftypavif\0\0\0\0"),
            "JPEG XL": content(b"\xff\x0a\0\0"),
            "BMP": content(b"BM" + bytes(60)),
            "GIF": content(b"GIF89a"),
            "OpenEXR": content(b"v/1\x01"),
            "DNG": content(b"II*\0", ".dng"),
        },
        "(HEIC|AVIF|JPEG XL|BMP|GIF|OpenEXR|raw).*expected PNG, JPEG, WEBP or TIFF; (convert|dev)",
    ),
    Case(
        "Photos",
        "Git LFS pointers, web pages, empty files",
        "refused",
        "named, with what to do",
        {
            "pointer": content(b"version https://git-lfs.github.com/spec/v1\n"),
            "page": content(b"\n<!doctype html>"),
            "empty": content(b""),
        },
        r"photo_03\.png: .*(git lfs pull|web page|is empty)",
    ),
    Case(
        "Photos",
        "more than 80 million pixels",
        "refused",
        "scale them down",
        {
            "100 million": content(png_of(10_000, 10_000)),
            "2⁶²": content(png_of(2**31 - 1, 2**31 - 1)),
        },
        "more than 80 million pixels; scale the photos down",
    ),
    Case(
        "Photos",
        "some of another size",
        "noticed",
        "resized to that of most",
        {
            "twice": then(
                top(cx=8.0, cy=6.0),
                lambda root: save_photo(root / "images" / name(2), pixels(2, 32, 24)),
            )
        },
        r"1 photos of 32×24 are resized to 16×12",
    ),
    Case(
        "Photos",
        "some of another aspect, with a lens of their own",
        "noticed",
        "left out",
        {
            "on its side": then(
                frames(lambda f, i: f.update(w=12, h=16, cx=6, cy=8) if i == 2 else None),
                lambda root: save_photo(root / "images" / name(2), pixels(2, 12, 16)),
            )
        },
        r"1 photos of 12×16 are left out",
        check=all_of(11),
    ),
    Case(
        "Names of photos",
        "backslashes; absolute paths of another machine",
        "noticed",
        "found by name",
        {
            "backslashes": named(lambda n: n.replace("/", "\\")),
            "absolute": named(lambda n: f"/home/someone/scan/{n}"),
            "Windows": named(lambda n: "C:\\scan\\" + n.replace("/", "\\")),
            "relative": named(lambda n: f"../../scan/{n}"),
        },
        FOUND,
    ),
    Case(
        "Names of photos",
        "another suffix or case, or none",
        "noticed",
        "found by name",
        {
            "suffix": named(lambda n: n.replace(".png", ".jpeg")),
            "case": named(str.upper),
            "suffix and case": named(lambda n: n.replace(".png", ".JPG").upper()),
            "none": named(lambda n: n.removesuffix(".png").upper()),
        },
        FOUND,
    ),
    Case(
        "Names of photos",
        "`images/` is missing or doubled; photos only in `images_N` or `input`",
        "noticed",
        "found by name; of copies the largest",
        {
            "missing": named(lambda n: n.partition("/")[2]),
            "doubled": named(lambda n: f"images/{n}"),
            "beside the file": moved("."),
            "images_4": moved("images_4"),
            "input": moved("input"),
            "doubled on disk": moved("images/images"),
        },
        FOUND,
    ),
    Case(
        "Names of photos",
        "the other Unicode normal form, as disks of Macs have it",
        "noticed",
        "found by name",
        {"NFD on disk": nfc("NFD", "NFC"), "NFC on disk": nfc("NFC", "NFD")},
        "normal form",
    ),
    Case(
        "Names of photos",
        "some photos that do not exist",
        "noticed",
        "left out, and named",
        {"two": then(plain, lambda root: [(root / n).unlink() for n in NAMES[3:5]])},
        NAMES[3],
        check=all_of(10),
    ),
    Case(
        "Names of photos",
        "no photo at all",
        "refused",
        "with the first path looked for, and what lies there",
        {
            "other names": named(lambda n: n.replace("photo", "picture")),
            "other names, absolute": named(lambda n: "/elsewhere/" + n.replace("photo", "picture")),
        },
        r"looked for .*picture_01\.png first; .* holds .*(photo_00|images/)",
    ),
    Case(
        "EXIF",
        "an orientation, in Blender scenes and `transforms.json`",
        "noticed",
        "turned, unless `w` and `h` are those of the stored pixels",
        {
            "upside down": then(plain, lambda root: with_exif(root / "images", 3)),
            "mirrored": then(plain, lambda root: with_exif(root / "images", 2)),
            "Blender": then(blender, lambda root: with_exif(root / "images", 3)),
        },
        "photos are turned as their EXIF orientation says",
        check=lambda scene: True,
    ),
    Case(
        "EXIF",
        "an orientation, in COLMAP models and LLFF",
        "noticed",
        "not turned, unless the camera has the size of the turned picture; up follows it",
        {
            "COLMAP": then(colmap(), lambda root: with_exif(root / "images")),
            "LLFF": then(llff, lambda root: with_exif(root / "images")),
            "for stored pixels": then(plain, lambda root: with_exif(root / "images")),
        },
        EXIF_KEPT,
    ),
    Case(
        "Alpha and masks",
        "`mask_path`, or a folder `masks` (`1.png` or `1.jpg.png` for `1.jpg`)",
        "noticed",
        "white becomes opaque, black transparent",
        {
            "masks": then(plain, masks("masks")),
            "COLMAP": then(colmap(), masks("masks", ".png.png")),
            "LLFF": then(llff, masks("masks")),
            "Masks": then(plain, masks("Masks")),
            "as JPEG": then(plain, masks("masks", ".jpg")),
            "mask_path": then(frames(lambda f, i: f.update(mask_path=f"m/{name(i)}")), masks("m")),
        },
        "^alpha comes from the masks of 12 photos$",
        check=bounded,
    ),
    Case(
        "Alpha and masks",
        "masks of some photos alone",
        "noticed",
        "those without are named",
        {"11 of 12": then(plain, masks("masks", count=11))},
        r"masks of 11 photos; 1 have none: images/photo_11\.png",
        check=bounded,
    ),
    Case(
        "Alpha and masks",
        "`mask_path` of files that do not exist",
        "noticed",
        "without masks",
        {"all": frames(lambda f, i: f.update(mask_path=f"m/{i}.png"))},
        r"12 masks that transforms\.json names do not exist, such as m/0\.png",
    ),
    Case(
        "Alpha and masks",
        "masks of another aspect than their photos",
        "refused",
        "by name",
        {
            "square": then(
                plain,
                lambda root: [
                    save_photo(root / "masks" / name(i), white(i)[:, :12]) for i in range(12)
                ],
            )
        },
        r"photo_\d\d\.png: the mask is 12×12, but its photo is 16×12",
    ),
    Case(
        "Alpha and masks",
        "some opaque photos among those with alpha",
        "noticed",
        "the scene stays bounded while they are fewer than half",
        {"one": then(plain, with_alpha((4,))), "three": then(plain, with_alpha((1, 2, 4)))},
        r"photos are opaque where the others are transparent",
        check=bounded,
    ),
)
