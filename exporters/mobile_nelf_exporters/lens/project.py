"""The Lens Studio project of a bundle: static files, rendered templates and the model.

`lens_project/` is copied as it is: most scripts. `templates/lens_project/` is mirrored onto the
output path, file names included; names, shapes and constants in it come from the contracts. A
package has scripts of its own and `templates/lens_package/` on top, whose scene shows it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mobile_nelf._version import __version__
from mobile_nelf.assets import asset_dir
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import TensorSpec
from mobile_nelf.rays import sample_depths
from mobile_nelf.vocabulary import Experience
from mobile_nelf_exporters.lens.constants import CONSTANTS_NAME, LENS_STUDIO
from mobile_nelf_exporters.lens.guesses import guesses
from mobile_nelf_exporters.lens.paths import (
    MODEL,
    PROJECT,
    SMALL_MODEL,
    LensForm,
    assets_folder,
)
from mobile_nelf_exporters.lens.studio.scripts import ScriptInput, script_inputs
from mobile_nelf_exporters.lens.studio.yaml import NIL
from mobile_nelf_exporters.lens.versions import DEFAULT_STUDIO, STUDIOS, StudioName
from mobile_nelf_exporters.lens.view import DEGREES_A_SCREEN, PHONE_FOV_DEG, RoomSize
from mobile_nelf_exporters.names import check_name, lens_name_of
from mobile_nelf_exporters.templates import render_readme, template_environment

__all__ = ["render_lens_project", "render_lens_readme"]

#: Every project of Snap's templates has these two; Lens Studio may know them by value.
SCENE_ID = "0a1ccb1a-fe88-4fbb-9883-e3af3c75fd99"
LAYERS_ID = "267ee9a7-aff2-4f9d-9a49-f71214747d03"

#: All other ids are uuid5 of project and role in this namespace: the same input, the same bytes.
ID_NAMESPACE = uuid.UUID("adf052ba-5270-43e3-be33-f82abff7d745")

#: The component of each form. Its `//@input` lines are the one declaration of what scenes set.
COMPONENTS: dict[LensForm, str] = {"project": "NelfController.js", "package": "NelfObject.js"}
#: Scripts for which a package has no use.
PROJECT_ONLY = frozenset(
    {"NelfController.js", "NelfMask.js", "NelfRoom.js", "NelfScreen.js", "NelfStatus.js"}
)
#: Scripts that fill the model's inputs, one for each layout; below `lens_project/`.
UPLOADS = "uploads"
#: Scripts that only a package has; below `lens_project/`.
PACKAGE_SCRIPTS = "package"
TEMPLATES: dict[LensForm, tuple[str, ...]] = {
    "project": (PROJECT, "lens_cropped"),
    "package": (PROJECT, "lens_package"),
}
TEMPLATE_SUFFIX = ".j2"
#: Templates of what a picture behind a mask needs.
MASKED = "lens_masked"


def render_lens_project(
    models: Sequence[tuple[Contract, bytes]],
    name: str,
    experience: Experience = "orbit",
    lens_name: str | None = None,
    room: RoomSize | None = None,
    lens_studio: StudioName = DEFAULT_STUDIO,
    form: LensForm = "project",
) -> dict[str, bytes]:
    """Returns a Lens Studio project as file contents by relative POSIX path.

    Args:
        models: contract and ONNX file of the model, then of the same network on a smaller grid of
            rays if there is one. Tensor names, shapes, camera and orbit come from the contracts.
        name: of the project: ASCII letters, digits, `_` and `-`, starting with a letter.
        experience: what people do with the lens.
        lens_name: that people see in Snapchat; made from `name` if `None`.
        room: size of the object in the room; as far away as photographed if `None`.
        lens_studio: version whose files are written.
        form: whether scripts and models are a package, which the project's scene shows.

    Returns:
        Files below `lens_project/`, in order of their paths; the same input gives the same bytes.

    Raises:
        InputError: `name` is not a valid project name.
        MissingExtraError: jinja2 is not installed.
    """
    check_name(name, "lens project")
    environment = template_environment()
    contract = models[0][0]
    room = room or RoomSize.of(contract)
    folder = assets_folder(name, form)
    component = f"{folder}/{COMPONENTS[form]}"
    files = _static_files(contract, form, folder)
    inputs = script_inputs(files[component])
    # A package can lie in the project of the same name.
    owner = folder.rpartition("/")[2] if form == "package" else name

    def uuid_of(role: str) -> str:
        return str(uuid.uuid5(ID_NAMESPACE, f"{owner}/{role}"))

    context = {
        "name": name,
        "lens_name": lens_name or lens_name_of(name),
        "experience": experience,
        "models": models,
        "scene_id": SCENE_ID,
        "layers_id": LAYERS_ID,
        "uuid": uuid_of,
        "contract": contract,
        "inputs": inputs,
        "start_value": _start_value,
        "phone_fov_deg": PHONE_FOV_DEG,
        "studio": STUDIOS[lens_studio],
        "component_script": component.removeprefix(f"{PROJECT}/"),
        "room": room,
        "size_cm": room.size_cm,
        "package_inputs": {
            "model": uuid_of("model"),
            "smallModel": uuid_of("small" if len(models) > 1 else "model"),
            "sizeCm": f"{room.size_cm:.6f}",
        },
        "version": __version__,
        "controller": _controller_constants([own for own, _ in models], experience, room)
        | {LENS_STUDIO: lens_studio},
    }

    def render(template: str, **more: Any) -> bytes:
        text: str = environment.get_template(template).render({**context, **more})
        return text.encode()

    templates = asset_dir("templates")
    for tree in (*TEMPLATES[form], *([MASKED] if contract.masked else [])):
        for path in _files_below(templates / tree):
            source = path.relative_to(templates).as_posix()
            place = source.removeprefix(f"{tree}/").removesuffix(TEMPLATE_SUFFIX)
            target = environment.from_string(place).render(context)
            files[f"{PROJECT}/{target}"] = render(source)
    files[f"{folder}/{CONSTANTS_NAME}"] = render("lens_parts/contract.js.j2")
    for script in [path for path in files if path.endswith((".js", ".ts"))]:
        own = inputs if script == component else {}
        role = script.removeprefix(f"{PROJECT}/")
        meta = "ts.meta.j2" if script.endswith(".ts") else "script.meta.j2"
        files[f"{script}.meta"] = render(f"lens_parts/{meta}", script=role, inputs=own)
    for file, role, (model_contract, content) in zip(
        (MODEL, SMALL_MODEL), ("model", "small"), models, strict=False
    ):
        files[f"{folder}/{file}"] = content
        files[f"{folder}/{file}.meta"] = render(
            "lens_parts/model.meta.j2", contract=model_contract, role=role
        )
    return dict(sorted(files.items()))


def render_lens_readme(
    models: Sequence[tuple[Contract, bytes]],
    name: str,
    experience: Experience = "orbit",
    lens_name: str | None = None,
    room: RoomSize | None = None,
    lens_studio: StudioName = DEFAULT_STUDIO,
    form: LensForm = "project",
) -> bytes:
    """Returns the README of the bundle around a project (see `render_lens_project`)."""
    room = room or RoomSize.of(models[0][0])
    return render_readme(
        "README.lens.md.j2" if form == "project" else "README.lens_package.md.j2",
        name,
        models[0][0],
        experience=experience,
        lens_name=lens_name or lens_name_of(name),
        room=room,
        size_cm=room.size_cm,
        lens_studio=lens_studio,
        small=models[1][0] if len(models) > 1 else None,
        guesses=list(guesses("package" if form == "package" else experience).values()),
    )


def _start_value(declared: ScriptInput, chosen: str | None = None) -> str:
    """An input in YAML: what was chosen, or the script's default; a reference by its id."""
    if not declared.is_scalar:
        return f"!<reference.{declared.type}> {chosen or NIL}"
    value = declared.default if chosen is None else chosen
    if declared.type != "float":
        return value
    # Lens Studio tags those that would read as whole numbers.
    number = float(value)
    return f"{'!<float> ' if number.is_integer() else ''}{number:.6f}"


def _static_files(contract: Contract, form: LensForm, folder: str) -> dict[str, bytes]:
    """What is copied as it is; of the scripts that fill inputs, the one for the layout."""
    static = asset_dir(PROJECT)
    files = {f"{folder}/NelfUploads.js": (static / UPLOADS / f"{contract.layout}.js").read_bytes()}
    for path in _files_below(static):
        place, _, inside = path.relative_to(static).as_posix().rpartition("/")
        if place == "Assets":
            wanted = form == "project" or inside not in PROJECT_ONLY
        else:
            wanted = place == PACKAGE_SCRIPTS and form == "package"
        if wanted:
            files[f"{folder}/{inside}"] = path.read_bytes()
        elif not place:
            files[f"{PROJECT}/{inside}"] = path.read_bytes()
    return files


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _controller_constants(
    contracts: Sequence[Contract], experience: Experience, room: RoomSize
) -> dict[str, Any]:
    """The constants of the scripts; vectors are world frame, angles in degrees."""
    contract = contracts[0]
    encoder, orbit = contract.student.encoder, contract.orbit
    return {
        "experience": experience,
        "models": [
            _script_model(own, field)
            for own, field in zip(contracts, ("model", "smallModel"), strict=False)
        ],
        "depths": sample_depths(encoder.near, encoder.far, encoder.samples).tolist(),
        "frequencies": encoder.frequencies,
        "target": orbit.target,
        "orbitAxes": orbit.basis().tolist(),
        "azimuth": orbit.azimuth,
        "elevation": orbit.elevation,
        "radius": orbit.radius,
        "ballRadius": contract.ball_radius,
        "background": contract.background,
        "degreesAScreen": DEGREES_A_SCREEN,
        "room": {
            "unitsPerCm": room.units_per_cm,
            "distanceCm": room.distance_cm,
            "foot": room.foot,
            "height": room.height,
            "reach": room.reach,
        },
    }


def _script_model(contract: Contract, field: str) -> dict[str, Any]:
    """A model: the controller's field that holds it, its tensors, its lens on the ray grid."""
    student = contract.student
    lens = contract.intrinsics.resized(student.ray_width, student.ray_height)
    return {
        "input": field,
        "inputs": [_script_tensor(spec) for spec in contract.inputs],
        "output": _script_tensor(contract.output),
        "masked": [_script_tensor(spec) for spec in contract.masked or ()],
        "rayWidth": student.ray_width,
        "rayHeight": student.ray_height,
        "pictureWidth": student.image_width,
        "pictureHeight": student.image_height,
        "fx": lens.fx,
        "fy": lens.fy,
        "cx": lens.cx,
        "cy": lens.cy,
    }


def _script_tensor(spec: TensorSpec) -> dict[str, Any]:
    """A tensor as SnapML states it: [width, height, channels], without the batch."""
    _, channels, rows, columns = spec.shape
    return {"name": spec.name, "shape": [columns, rows, channels]}
