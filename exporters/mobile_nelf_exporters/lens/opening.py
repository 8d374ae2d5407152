"""Opens a lens in Lens Studio itself, through its command line.

Written after Snap's own tools for agents, which run scripts so; never run with Lens Studio here.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobile_nelf.errors import BundleError, InputError, MissingToolError
from mobile_nelf.parsing import parse_json
from mobile_nelf_exporters.lens.paths import project_files
from mobile_nelf_exporters.lens.studio.assets import ASSETS, META_SUFFIX
from mobile_nelf_exporters.lens.studio.project import BOM, PROJECT_SUFFIX
from mobile_nelf_exporters.lens.studio.yaml import Tagged, field_of, parse_lens_yaml

__all__ = ["OPENING_SCRIPT", "imported_models", "opened_project"]

#: In a bundle.
OPENING_SCRIPT = "open_in_lens_studio.js"

#: Begins each line of the script's reports.
REPORT = "NELF_OPENED "

#: Where it is after an installation as usual.
PROGRAMS = {
    "darwin": "/Applications/Lens Studio.app/Contents/MacOS/Lens Studio",
    "win32": r"C:\Program Files\Snap Inc\Lens Studio\Lens Studio.exe",
}

#: Until it has started, imported two models and saved; a first start compiles much.
TIMEOUT_SECONDS = 600.0
#: After its report; Snap's own tools say that it does not always end by itself.
END_SECONDS = 10.0
#: Of what it printed last, for an error.
SHOWN_LINES = 3


def opened_project(
    files: Mapping[str, bytes], name: str, folder: Path, program: Path | None
) -> dict[str, Any]:
    """Puts a project into a folder, opens and saves it there; returns the report as plain data.

    Raises:
        InputError: Lens Studio is not installed.
        BundleError: it ended without a report, or took too long.
    """
    chosen = _program(program)
    for path, content in project_files(files).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    script = folder.parent / OPENING_SCRIPT
    script.write_bytes(files.get(OPENING_SCRIPT, b""))
    project = folder / f"{name}{PROJECT_SUFFIX}"
    told: dict[str, Any] | None = None
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    for line in _lines(
        [str(chosen), "--exec", "run-script", "-f", str(script), "-a", str(project)]
    ):
        last.append(line)
        _, found, text = line.partition(REPORT)
        if found:
            told = _parsed(text, chosen)
            if told.get("complete") is True:
                break
    if told is None:
        said = f": {' '.join(last)}" if last else ""
        raise BundleError(
            f"{chosen}: ended without a report of {project.name}{said}; open the project by hand, "
            "as README.md of the bundle says"
        )
    return {
        "script": told,
        "models": imported_models(_read(folder), _cache_bytes(told)),
        **_saved_settings(project),
    }


def _program(given: Path | None) -> Path:
    path = given or Path(PROGRAMS.get(sys.platform, ""))
    if path.suffix == ".app":
        path = path / "Contents" / "MacOS" / path.stem
    if path.is_file():
        return path.absolute()
    if given is not None:
        raise InputError(
            f"{given}: no such program, expected Lens Studio", arguments=["lens_studio"]
        )
    raise MissingToolError(
        "Lens Studio is not installed where it is usually; say where it is, or install it from "
        "ar.snap.com (for macOS and Windows)",
        arguments=["lens_studio"],
    )


def _lines(command: list[str]) -> Iterator[str]:
    """Yields what a program prints until it ends or the time is over, and ends it."""
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as error:
        raise InputError(
            f"{command[0]}: cannot be run ({error.strerror})", arguments=["lens_studio"]
        ) from error
    found: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            found.put(line.rstrip("\n"))
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    try:
        while (line := _next(found, deadline)) is not None:
            yield line
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        process.kill()
        process.wait()


def _next(found: queue.Queue[str | None], deadline: float) -> str | None:
    try:
        return found.get(timeout=max(deadline - time.monotonic(), 0.0))
    except queue.Empty:
        return None


def _parsed(text: str, program: Path) -> dict[str, Any]:
    try:
        told = parse_json(text)
    except ValueError as error:
        raise BundleError(f"{program}: its report is not JSON ({error})") from error
    if not isinstance(told, dict):
        raise BundleError(f"{program}: its report is {type(told).__name__}, expected an object")
    return told


def _read(folder: Path) -> dict[str, bytes]:
    """Metas of models, by path in the project."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob(f"{ASSETS}**/*.onnx{META_SUFFIX}")
    }


def _cache_bytes(told: Mapping[str, Any]) -> dict[str, int]:
    """Size of what Lens Studio made of each model, by path in the project."""
    sizes = {}
    assets = told.get("assets")
    for asset in assets if isinstance(assets, list) else ():
        path, cache = field_of(asset, "path"), field_of(asset, "cache")
        if isinstance(path, str) and isinstance(cache, str) and cache and Path(cache).is_file():
            sizes[path] = Path(cache).stat().st_size
    return sizes


def imported_models(
    files: Mapping[str, bytes], sizes: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """Returns what the metas of models say of their tensors, by path in the project.

    Args:
        files: of the project, by path relative to it.
        sizes: after import, in bytes, by path.
    """
    models: dict[str, Any] = {}
    for meta, content in sorted(files.items()):
        if not meta.endswith(f".onnx{META_SUFFIX}"):
            continue
        path = meta.removesuffix(META_SUFFIX)
        document = parse_lens_yaml(content.removeprefix(BOM), meta)
        settings = field_of(document[0], "ImporterSettings") if document else None
        tensors = []
        for key in ("Inputs", "Outputs"):
            listed = field_of(settings, key)
            tensors += [_tensor(node) for node in listed] if isinstance(listed, list) else []
        models[path] = {"bytes": (sizes or {}).get(path), "tensors": tensors}
    return models


def _tensor(node: Any) -> dict[str, Any]:
    scales = field_of(node, "Normalizations")
    found = {
        round(_number(field_of(scale, "scale")), 6)
        for scale in (scales if isinstance(scales, list) else ())
    }
    return {
        "name": str(field_of(node, "Name")),
        "shape": [round(_number(field_of(node, "Shape", axis))) for axis in "xyz"],
        "scales": sorted(found),
    }


def _number(value: Any) -> float:
    value = value.value if isinstance(value, Tagged) else value
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _saved_settings(project: Path) -> dict[str, str]:
    """Version and camera, as the saved project file names them."""
    try:
        settings = parse_lens_yaml(project.read_bytes().removeprefix(BOM), project.name)
    except (BundleError, OSError):
        settings = None
    version = [field_of(settings, "studioVersion", part) for part in ("major", "minor", "patch")]
    return {
        "studio_version": ".".join(map(str, version)),
        "activation_camera": str(field_of(settings, "metaInfo", "activationCamera")),
    }
