"""Reader of the files that the research code of MobileR2L and R2L writes (`ckpt.tar`).

Such a file is a dict with the weights under `network_fn_state_dict`. It says neither the ray grid
nor the lens: those are in the `intrinsics.json` of the same run, or come from the caller. Sizes are
read off the shapes of the tensors; functions and options, which leave no trace there, off the
pickled module, if there is one. What nothing says is a guess and is called one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mobile_nelf.cameras import MAX_LENGTH, MIN_RADIUS, Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.checkpoints.official.architecture import infer_architecture
from mobile_nelf.checkpoints.official.module import PickledNetwork, pickled_network
from mobile_nelf.checkpoints.official.names import plain_names
from mobile_nelf.checkpoints.safe import describe, printable
from mobile_nelf.checkpoints.weights import checked_weights, state_dict
from mobile_nelf.errors import CheckpointError, ConfigError
from mobile_nelf.parsing import parse_json
from mobile_nelf.plain import from_dict
from mobile_nelf.students import StudentConfig
from mobile_nelf.vocabulary import Activation

__all__ = ["STATE_DICT_KEY", "CameraOptions", "read_official"]

STATE_DICT_KEY = "network_fn_state_dict"
INTRINSICS_NAME = "intrinsics.json"
#: An intrinsics.json has eight numbers.
MAX_INTRINSICS_BYTES = 64 * 2**10
#: Keys of an intrinsics.json under the names of `CameraOptions`.
_LENS_KEYS = {
    "W": "ray_width",
    "H": "ray_height",
    "focal": "focal",
    "near": "near",
    "far": "far",
    "radius": "radius",
}
#: Likewise of `EncoderConfig`. The research code writes `numtires` and later asks for `multires`.
_ENCODER_KEYS = {"n_sample": "samples", "numtires": "frequencies", "multires": "frequencies"}
#: Likewise of `EncoderConfig`, by their names among the options of the module.
_ENCODER_OPTIONS = {"samples": "n_sample_per_ray", "frequencies": "multires"}
#: Unknown classes that a message names.
CLASSES_SHOWN = 3
#: What `mnelf` needs when the lens of a file is unknown.
CAMERA_HELP = (
    "give a camera with the ray grid, the focal length in pixels of that grid, depths and perhaps "
    "the distance in world units; of a Blender scene at 100×100 these are 100,100,138.889,2,6,4"
)
#: Elevations in degrees that the 360° template of Lens Studio lets a viewer reach; an official file
#: does not say where its photos were taken.
DEFAULT_ELEVATION = (15.0, 75.0)


@dataclass(frozen=True)
class CameraOptions:
    """The lens of an official checkpoint, on its ray grid.

    Attributes:
        ray_width: columns of the ray grid.
        ray_height: rows of the ray grid.
        focal: focal length in pixels of the ray grid.
        near: depth of the first sample, world units.
        far: depth of the last sample, world units.
        radius: distance of the cameras from the origin, world units; None for midway between near
            and far, where an object at the origin fills the depth range.
    """

    ray_width: int
    ray_height: int
    focal: float
    near: float
    far: float
    radius: float | None = None


@dataclass(frozen=True)
class _Kind:
    """What the research code of one architecture does without saying so in the file.

    Attributes:
        source: name for the provenance.
        activation: the non-linearity of its scripts.
        samples: its default points a ray.
        frequencies: its default octaves.
        pixel_centre: where in a pixel its rays start, in pixels from the corner. R2L shoots
            through the corner.
    """

    source: str
    activation: Activation
    samples: int
    frequencies: int
    pixel_centre: float


_KINDS = {
    "mobiler2l": _Kind("MobileR2L", "gelu", samples=8, frequencies=6, pixel_centre=0.5),
    "r2l": _Kind("R2L", "relu", samples=16, frequencies=10, pixel_centre=0.0),
}


def read_official(
    content: dict[Any, Any],
    path: Path,
    camera: CameraOptions | None = None,
    activation: Activation | None = None,
) -> Checkpoint:
    """Returns the checkpoint in the `content` of an official file.

    Args:
        content: what the safe reader found; it may hold anything.
        path: of the file; its `intrinsics.json` is looked for beside it and, as the research code
            puts it, beside the folder `weights` that the file is in.
        camera: the lens, instead of the one in `intrinsics.json`.
        activation: the non-linearity, where the file does not say it: the official scripts have
            GELU for MobileR2L and ReLU for R2L.

    Raises:
        CheckpointError: broken weights, an unsupported network, an unknown lens, or an activation
            that contradicts the file.
    """
    weights = plain_names(state_dict(content.get(STATE_DICT_KEY), path, STATE_DICT_KEY), path)
    network = pickled_network(content, path)
    network.refuse_options()
    shape = infer_architecture(weights, path)
    channels = shape.pop("channels")
    kind = _KINDS[shape["architecture"]]
    intrinsics_path = _intrinsics_path(path)
    facts = _read_facts(intrinsics_path) if intrinsics_path else {}
    if camera is None:
        if intrinsics_path is None:
            raise CheckpointError(
                f"{path}: no {INTRINSICS_NAME} beside it, so its lens is unknown; {CAMERA_HELP}",
                arguments=["camera"],
            )
        camera = _camera_of(facts, intrinsics_path)
    if camera.near == 0.0 and camera.far == 1.0:
        raise CheckpointError(
            f"{path}: near 0 and far 1 mean a forward-facing scene in NDC, which is not supported "
            "yet; use a 360° scene"
        )
    guesses: list[str] = []
    student = _student(
        {
            **shape,
            "encoder": {
                "near": camera.near,
                "far": camera.far,
                **_encoder(network, facts, kind, guesses),
            },
            "ray_width": camera.ray_width,
            "ray_height": camera.ray_height,
            "activation": _activation(network, activation, kind, guesses),
        },
        path,
    )
    if student.encoder.channels != channels:
        raise CheckpointError(
            f"{path}: its head takes {channels} channels, but {student.encoder.samples} samples "
            f"of {student.encoder.frequencies} frequencies are {student.encoder.channels}; write "
            f"the right `n_sample` and `multires` into an {INTRINSICS_NAME} beside it"
        )
    unknown = ", ".join(map(printable, network.unknown_classes[:CLASSES_SHOWN]))
    hint = f"; it has layers of {unknown}, an architecture that is not supported" if unknown else ""
    checked = checked_weights(weights, student, path, hint)
    network.refuse_layers(student)
    if unknown:
        guesses.append(f"{unknown} to compute what {kind.source} does")
    if student.architecture == "mobiler2l" and "camera_convention" not in network.options:
        guesses.append("camera convention openGL")
    guessed = {"guessed": f"{', '.join(guesses)}; the file does not say"} if guesses else {}
    return Checkpoint(
        student=student,
        intrinsics=_intrinsics(camera, student, kind, path),
        orbit=_orbit(camera, path),
        weights=checked,
        provenance={
            "source": kind.source,
            **_history(content),
            "zeros": _zeros(checked),
            **guessed,
        },
    )


def _activation(
    network: PickledNetwork, chosen: Activation | None, kind: _Kind, guesses: list[str]
) -> Activation:
    found = network.activation()
    if chosen is not None and found is not None and chosen != found:
        raise CheckpointError(
            f"{network.path}: its module says that it was trained with {found}, not {chosen}; "
            "leave the activation out",
            arguments=["trained_activation"],
        )
    if chosen is None and found is None:
        guesses.append(f"activation {kind.activation}")
    return chosen or found or kind.activation


def _encoder(
    network: PickledNetwork, facts: dict[str, int | float], kind: _Kind, guesses: list[str]
) -> dict[str, int | float]:
    """Samples and frequencies: of the module, of the intrinsics, or those of the scripts."""
    encoder: dict[str, int | float] = {}
    for name, option in _ENCODER_OPTIONS.items():
        told = next(
            (facts[key] for key, n in _ENCODER_KEYS.items() if n == name and key in facts), None
        )
        found = network.count(option)
        if told is not None and found is not None and told != found:
            raise CheckpointError(
                f"{network.path}: was trained with {found} {name} ({option}), its "
                f"{INTRINSICS_NAME} says {told}; correct the {INTRINSICS_NAME}"
            )
        guess = getattr(kind, name)
        encoder[name] = next((value for value in (found, told) if value is not None), guess)
        if found is None and told is None:
            guesses.append(f"{guess} {name}")
    return encoder


def _intrinsics_path(path: Path) -> Path | None:
    folder = path.absolute().parent
    folders = [folder, folder.parent] if folder.name == "weights" else [folder]
    return next((f / INTRINSICS_NAME for f in folders if (f / INTRINSICS_NAME).is_file()), None)


def _read_facts(path: Path) -> dict[str, int | float]:
    """Returns the numbers of an `intrinsics.json`, under the names that they have there."""
    try:
        with path.open("rb") as file:
            content = parse_json(file.read(MAX_INTRINSICS_BYTES), finite=False)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}; expected H, W, focal, near, far") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: expected a JSON object with H, W, focal, near, far")
    facts = {key: content[key] for key in (*_LENS_KEYS, *_ENCODER_KEYS) if key in content}
    for key, value in facts.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise CheckpointError(f"{path}: {key} is {describe(value)}, expected a number")
    if facts.get("numtires", facts.get("multires")) != facts.get("multires", facts.get("numtires")):
        raise CheckpointError(f"{path}: numtires and multires differ, expected one number")
    return facts


def _camera_of(facts: dict[str, int | float], path: Path) -> CameraOptions:
    missing = [key for key in _LENS_KEYS if key not in facts and key != "radius"]
    if missing:
        raise CheckpointError(
            f"{path}: {', '.join(missing)} missing; add it, or {CAMERA_HELP}", arguments=["camera"]
        )
    lens = {name: facts[key] for key, name in _LENS_KEYS.items() if key in facts}
    try:
        return from_dict(CameraOptions, lens, "camera")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _student(fields: dict[str, Any], path: Path) -> StudentConfig:
    try:
        return from_dict(StudentConfig, fields, "student")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _intrinsics(
    camera: CameraOptions, student: StudentConfig, kind: _Kind, path: Path
) -> Intrinsics:
    """The lens on the grid of the rendered image."""
    try:
        rays = Intrinsics.centred(camera.ray_width, camera.ray_height, camera.focal)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    # A principal point further right gives the ray of pixel u the direction of an earlier place.
    shift = 0.5 - kind.pixel_centre
    rays = replace(rays, cx=rays.cx + shift, cy=rays.cy + shift)
    return rays.resized(student.image_width, student.image_height)


def _orbit(camera: CameraOptions, path: Path) -> OrbitLimits:
    radius = (camera.near + camera.far) / 2 if camera.radius is None else camera.radius
    if not MIN_RADIUS <= radius <= MAX_LENGTH:
        raise CheckpointError(f"{path}: need a positive camera radius, found {radius}")
    return OrbitLimits(
        target=(0.0, 0.0, 0.0),
        up=(0.0, 0.0, 1.0),
        azimuth=(-180.0, 180.0),
        elevation=DEFAULT_ELEVATION,
        radius=(radius, radius),
    )


def _history(content: dict[Any, Any]) -> dict[str, str]:
    """What the file says about its training; absent or odd entries are left out."""
    history = {}
    steps = content.get("global_step")
    if type(steps) is int and 0 <= steps < 10**12:
        history["steps"] = str(steps)
    psnr = content.get("best_psnr")
    if isinstance(psnr, Tensor) and psnr.dim() == 0:
        psnr = float(psnr)
    if isinstance(psnr, (int, float)) and 0.0 < psnr < 200.0:
        history["best_psnr_db"] = f"{psnr:.2f}"
    return history


def _zeros(weights: dict[str, Tensor]) -> str:
    """The share of zeros among what pruning acts on: the weights of conv, FC and BatchNorm."""
    prunable = [value for name, value in weights.items() if name.endswith(".weight")]
    zeros = sum(int((value == 0.0).sum()) for value in prunable)
    return f"{100.0 * zeros / sum(value.numel() for value in prunable):.1f} %"
