"""The README's picture: frames of a bundle's artefact at test poses, over the photos.

python benchmarks/picture.py out/mic-onnx examples/mic docs/images/mic.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.pictures import on_white, to_uint8
from mobile_nelf.scenes import read_scene


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("scene", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--views", type=int, default=6, help="spread over the test views")
    options = parser.parse_args()
    manifest = read_manifest(options.bundle)
    files = {name: (options.bundle / name).read_bytes() for name in manifest.files}
    runtime, *_ = find_exporter(manifest.target).runtimes(files, manifest.contract)
    student = manifest.contract.student
    test = read_scene(options.scene).views("test")
    columns = []
    for index in np.linspace(0, len(test) - 1, options.views).astype(int):
        camera = test[index].camera.resized(student.ray_width, student.ray_height)
        columns.append(
            np.concatenate([runtime.frame(camera)[..., :3], on_white(test[index].rgba())])
        )
    Image.fromarray(to_uint8(np.concatenate(columns, axis=1))).save(options.output, optimize=True)


if __name__ == "__main__":
    main()
