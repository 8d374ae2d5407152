"""The Lens Studio project of a bundle: static files, rendered templates and the model.

`lens_project/` is copied as it is. `templates/lens_project/` is mirrored onto the output path, file
names included; names, shapes and constants in it come from the contract.
"""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

from mobile_nelf.assets import asset_dir
from mobile_nelf.deploy.contract import Contract, TensorSpec
from mobile_nelf.errors import InputError
from mobile_nelf.rays import sample_depths
from mobile_nelf_exporters.templates import template_environment

__all__ = ["MODEL_PATH", "check_lens_name", "render_lens_project"]

#: Every project of Snap's templates has these two; Lens Studio may know them by value.
SCENE_ID = "0a1ccb1a-fe88-4fbb-9883-e3af3c75fd99"
LAYERS_ID = "267ee9a7-aff2-4f9d-9a49-f71214747d03"

#: All other ids are uuid5 of project and role in this namespace: the same input, the same bytes.
ID_NAMESPACE = uuid.UUID("adf052ba-5270-43e3-be33-f82abff7d745")

#: Lens Studio's own rule is not published; this is what every known project name satisfies.
NAME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")

PROJECT = "lens_project"
#: Where the ONNX file lies in the bundle.
MODEL_PATH = f"{PROJECT}/Assets/model.onnx"
TEMPLATE_SUFFIX = ".j2"


def check_lens_name(name: str) -> None:
    """Refuses what Lens Studio might not take as the name of project and lens.

    Raises:
        InputError: `name` is not up to 64 ASCII letters, digits, `_` and `-` after a letter.
    """
    if NAME_PATTERN.fullmatch(name) is None:
        raise InputError(
            f"lens name {name!r}: expected up to 64 ASCII letters, digits, '_' or '-' that start "
            "with a letter; choose another name for the bundle"
        )


def render_lens_project(contract: Contract, model: bytes, name: str) -> dict[str, bytes]:
    """Returns a Lens Studio 5.15 project as file contents by relative POSIX path.

    Args:
        contract: of `model`; tensor names, shapes, camera and orbit are taken from it.
        model: the ONNX file.
        name: of project and lens: ASCII letters, digits, `_` and `-`, starting with a letter.

    Returns:
        Files below `lens_project/`, in order of their paths; the same input gives the same bytes.

    Raises:
        InputError: `name` is not a valid lens name.
        MissingExtraError: jinja2 is not installed.
    """
    context = _context(contract, name)
    files = {MODEL_PATH: model}
    static = asset_dir(PROJECT)
    for path in _files_below(static):
        files[f"{PROJECT}/{path.relative_to(static).as_posix()}"] = path.read_bytes()
    templates = asset_dir("templates")
    environment = template_environment()
    for path in _files_below(templates / PROJECT):
        source = path.relative_to(templates).as_posix()
        target = environment.from_string(source.removesuffix(TEMPLATE_SUFFIX)).render(context)
        files[target] = environment.get_template(source).render(context).encode()
    return dict(sorted(files.items()))


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _context(contract: Contract, name: str) -> dict[str, Any]:
    """Everything that a template may name."""
    check_lens_name(name)
    return {
        "name": name,
        "scene_id": SCENE_ID,
        "layers_id": LAYERS_ID,
        "uuid": lambda role: str(uuid.uuid5(ID_NAMESPACE, f"{name}/{role}")),
        "contract": contract,
        "controller": _controller_constants(contract),
    }


def _controller_constants(contract: Contract) -> dict[str, Any]:
    """The constants of the controller script; vectors are world frame, angles in degrees."""
    student, encoder, orbit = contract.student, contract.student.encoder, contract.orbit
    lens = contract.intrinsics.resized(student.ray_width, student.ray_height)
    return {
        "inputs": [_script_tensor(spec) for spec in contract.inputs],
        "output": _script_tensor(contract.output),
        "rayWidth": student.ray_width,
        "rayHeight": student.ray_height,
        "fx": lens.fx,
        "fy": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
        "depths": sample_depths(encoder.near, encoder.far, encoder.samples).tolist(),
        "frequencies": encoder.frequencies,
        "target": orbit.target,
        "orbitAxes": orbit.basis().tolist(),
        "azimuth": orbit.azimuth,
        "elevation": orbit.elevation,
        "radius": sum(orbit.radius) / 2,
        "background": contract.background,
    }


def _script_tensor(spec: TensorSpec) -> dict[str, Any]:
    """A tensor as SnapML states it: [width, height, channels], without the batch."""
    _, channels, rows, columns = spec.shape
    return {"name": spec.name, "shape": [columns, rows, channels]}
