"""Where the parts of a lens lie in its bundle."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Literal

__all__ = [
    "MODEL",
    "MODEL_PATH",
    "PROJECT",
    "SMALL_MODEL",
    "SMALL_MODEL_PATH",
    "LensForm",
    "assets_folder",
    "model_path",
    "project_files",
    "small_model_path",
]

#: A lens of its own, or a package for lenses that exist, in a lens to look at it in.
#: Guess `package`: a folder with a descriptor, copied into `Assets`, is an unpacked package.
#: Guess `prefab`: its prefab can be dragged into a scene.
LensForm = Literal["project", "package"]

#: Folder of the Lens Studio project; `templates/` and the package's static files mirror it.
PROJECT = "lens_project"
MODEL, SMALL_MODEL = "model.onnx", "small.onnx"
MODEL_PATH = f"{PROJECT}/Assets/{MODEL}"
SMALL_MODEL_PATH = f"{PROJECT}/Assets/{SMALL_MODEL}"

PACKAGED = re.compile(rf"{PROJECT}/Assets/[^/]+\.lspkg/{re.escape(MODEL)}")


def assets_folder(name: str, form: LensForm) -> str:
    """Returns the folder of scripts and models in a bundle.

    Args:
        name: of the project.
        form: of the lens.
    """
    folder = f"{PROJECT}/Assets"
    return f"{folder}/{name}.lspkg" if form == "package" else folder


def model_path(files: Collection[str]) -> str:
    """Returns where the model of a bundle is, or would be.

    Args:
        files: paths in the bundle.
    """
    packaged = (path for path in sorted(files) if PACKAGED.fullmatch(path))
    return MODEL_PATH if MODEL_PATH in files else next(packaged, MODEL_PATH)


def small_model_path(files: Collection[str]) -> str:
    """Returns where the model of the smaller picture is, or would be.

    Args:
        files: paths in the bundle.
    """
    return model_path(files).removesuffix(MODEL) + SMALL_MODEL


def project_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the files of the project in a bundle, by path relative to the project."""
    prefix = f"{PROJECT}/"
    return {
        path.removeprefix(prefix): content
        for path, content in files.items()
        if path.startswith(prefix)
    }
