"""Where the parts of a lens lie in its bundle."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MODEL_PATH", "PROJECT", "SMALL_MODEL_PATH", "project_files"]

#: Folder of the Lens Studio project; `templates/` and the package's static files mirror it.
PROJECT = "lens_project"
MODEL_PATH = f"{PROJECT}/Assets/model.onnx"
SMALL_MODEL_PATH = f"{PROJECT}/Assets/small.onnx"


def project_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the files of the project in a bundle, by path relative to the project."""
    prefix = f"{PROJECT}/"
    return {
        path.removeprefix(prefix): content
        for path, content in files.items()
        if path.startswith(prefix)
    }
