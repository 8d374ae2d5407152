"""Draws `docs/images/lens.png`: two lenses of the example on a phone, as a user has them.

mnelf bundle examples/mic.pt --target lens --output out/mic-lens
mnelf bundle examples/mic-alpha.pt --target lens --experience world --output out/mic-room
python benchmarks/lens_picture.py out/mic-lens out/mic-room docs/images/lens.png
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from PIL import Image

from mobile_nelf.bundles.preview import preview_bundle

FRAMES = 60
SHOWN = (0, 11, 20, 34, 45, 52)
SCREEN = (270, 480)
GAP = 6
FRAME = (90, 90, 90)


def strip(bundle: Path) -> Image.Image:
    """Returns screens of a film of a bundle, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film"
        preview = preview_bundle(bundle, film, frames=FRAMES, screen=SCREEN)
        if not preview.interactive:
            raise SystemExit("the lens did not run: install Node.js 20 or later")
        width, height = SCREEN
        picture = Image.new("RGB", (len(SHOWN) * (width + GAP) - GAP, height), FRAME)
        for index, frame in enumerate(SHOWN):
            with Image.open(film / f"frame_{frame:03d}.png") as screen:
                picture.paste(screen, (index * (width + GAP), 0))
    return picture


def main() -> None:
    """Writes one strip above the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs=2)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    strips = [strip(bundle) for bundle in arguments.bundles]
    width, height = strips[0].size
    picture = Image.new("RGB", (width, 2 * height + GAP), FRAME)
    for index, part in enumerate(strips):
        picture.paste(part, (0, index * (height + GAP)))
    picture.resize((width // 2, picture.height // 2), Image.Resampling.LANCZOS).save(
        arguments.output, optimize=True
    )


if __name__ == "__main__":
    main()
