"""The teacher's file: one `torch.save` file of plain values and tensors.

{"format": "mobile-nelf-teacher", "version": 1, "config": {...}, "space": {"kind": ..., ...},
 "metrics": {...}, "provenance": {...}, "occupied": packed bits, "field": {name: tensor}}

and "metres_per_unit" where the true size is known.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobile_nelf.atomic import written_beside
from mobile_nelf.checkpoints.native import TEACHER_FORMAT
from mobile_nelf.checkpoints.safe import read_file
from mobile_nelf.errors import CheckpointError, ConfigError
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.plain import from_dict, if_known, to_dict
from mobile_nelf.seeding import seeded
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.field import grid_shapes
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from mobile_nelf.teachers.ngp import NgpTeacher, build_field
from mobile_nelf.teachers.spaces import BoxSpace, ContractedSpace, NdcSpace, Space

__all__ = ["TrainedTeacher", "load_teacher", "save_teacher", "teacher_in"]

VERSION = 1

_SPACES = {"box": BoxSpace, "contracted": ContractedSpace, "ndc": NdcSpace}


@dataclass(frozen=True, eq=False)
class TrainedTeacher:
    """A teacher with what is known of it.

    Attributes:
        teacher: renders.
        metrics: measured quality by name, such as `test_psnr_db`.
        provenance: where it came from: scene, steps, version.
        metres_per_unit: true length of a world unit; None if the scene did not tell.
    """

    teacher: NgpTeacher
    metrics: dict[str, float] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)
    metres_per_unit: float | None = None

    def __repr__(self) -> str:
        """Returns back-end and quality, without the weights."""
        quality = self.metrics.get("test_psnr_db")
        tested = "" if quality is None else f", {quality:.2f} dB on test views"
        return f"TrainedTeacher(back-end {self.teacher.config.backend}{tested})"

    def sha256(self) -> str:
        """Returns a hash of weights, occupancy and space, which tells teachers apart."""
        digest = hashlib.sha256(repr(self.teacher.space).encode())
        digest.update(self.teacher.grid.mask.cpu().numpy().data)
        for name, value in sorted(self.teacher.field.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.detach().cpu().float().numpy()).data)
        return digest.hexdigest()


def save_teacher(trained: TrainedTeacher, path: AnyPath) -> None:
    """Writes a teacher, its weights as float16.

    Raises:
        OutputError: the file cannot be written.
    """
    path = as_path(path)
    teacher = trained.teacher
    kind = next(name for name, cls in _SPACES.items() if isinstance(teacher.space, cls))
    bits = np.packbits(teacher.grid.mask.cpu().numpy())
    content = {
        "format": TEACHER_FORMAT,
        "version": VERSION,
        "config": to_dict(teacher.config),
        "space": {"kind": kind, **to_dict(teacher.space)},
        "metrics": dict(trained.metrics),
        "provenance": dict(trained.provenance),
        "occupied": torch.from_numpy(bits),
        "field": {
            name: value.detach().cpu().half() for name, value in teacher.field.state_dict().items()
        },
    }
    if trained.metres_per_unit is not None:
        content["metres_per_unit"] = trained.metres_per_unit
    buffer = io.BytesIO()  # torch.save would put the file's name inside
    torch.save(content, buffer)
    with written_beside(path) as partial:
        partial.write_bytes(buffer.getvalue())


def load_teacher(path: AnyPath, device: torch.device) -> TrainedTeacher:
    """Reads a teacher. No code from the file is ever run.

    Raises:
        InputError: there is no such file.
        CheckpointError: the file is broken or no teacher of this version.
        MissingExtraError: its back-end is not installed.
    """
    path = as_path(path)
    return teacher_in(read_file(path), path, device)


def teacher_in(content: Any, path: Path, device: torch.device) -> TrainedTeacher:
    """Returns the teacher in the `content` of a file.

    Args:
        content: what the safe reader found; it may hold anything.
        path: of the file, for messages.
        device: where the teacher renders.

    Raises:
        CheckpointError: the content is broken or no teacher of this version.
        MissingExtraError: its back-end is not installed.
    """
    if not isinstance(content, dict) or content.get("format") != TEACHER_FORMAT:
        raise CheckpointError(
            f"{path}: is not a teacher; expected a file that `mnelf teacher` wrote"
        )
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise CheckpointError(
            f"{path}: is another version of the format, this mnelf reads version {VERSION}; use "
            "the mnelf that wrote it, or a newer one"
        )
    try:
        config = from_dict(TeacherConfig, content.get("config"), "config")
        space = _space(content.get("space"))
        facts = {name: content.get(name) for name in ("metrics", "provenance")}
        facts |= {name: content[name] for name in ("metres_per_unit",) if name in content}
        known = from_dict(_Known, facts, "header")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    # A message cannot show what is endless: integers of 5000 digits, lists in lists.
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: its config cannot be used ({error})") from error
    if known.metres_per_unit is not None and not known.metres_per_unit > 0.0:
        raise CheckpointError(
            f"{path}: a unit of its world is {known.metres_per_unit:g} metres long"
        )
    weights = content.get("field")
    occupied = content.get("occupied")
    if not isinstance(weights, dict) or not isinstance(occupied, Tensor) or not _is_bits(occupied):
        raise CheckpointError(f"{path}: has no field or no occupancy; train it again")
    _check_table(config, space, weights, path)
    with seeded():
        grid_field = build_field(config, space, device)
    try:
        grid_field.load_state_dict(
            {str(name): v.float() for name, v in weights.items() if isinstance(v, Tensor)}
        )
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights do not fit its config ({str(error).splitlines()[-1].strip()})"
        ) from error
    bits = np.unpackbits(occupied.numpy()).astype(bool)
    grid = OccupancyGrid(torch.from_numpy(bits).to(device))
    teacher = NgpTeacher(config, space, grid_field, grid)
    return TrainedTeacher(teacher, known.metrics, known.provenance, known.metres_per_unit)


@dataclass(frozen=True)
class _Known:
    metrics: dict[str, float]
    provenance: dict[str, str]
    metres_per_unit: float | None = if_known()


def _space(content: Any) -> Space:
    kind = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in _SPACES:
        raise ConfigError(f"space: its kind must be one of {', '.join(_SPACES)}")
    values = {name: value for name, value in content.items() if name != "kind"}
    space: Space = from_dict(_SPACES[kind], values, "space")
    return space


def _is_bits(value: Tensor) -> bool:
    return value.dtype == torch.uint8 and value.shape == (CELLS**3 // 8,)


def _check_table(config: TeacherConfig, space: Space, weights: dict[Any, Any], path: Path) -> None:
    """Compares the grids with the file before memory is taken for them.

    Raises:
        CheckpointError: they differ.
    """
    if config.backend != "torch":
        return
    table = weights.get("table")
    if not isinstance(table, Tensor) or not _fits(table, config, space):
        raise CheckpointError(f"{path}: its table does not have the size that its config tells")


def _fits(table: Tensor, config: TeacherConfig, space: Space) -> bool:
    """Whether the grids of `config` have the rows and channels of `table`."""
    try:
        shapes = grid_shapes(config.resolutions, space.proportions())
    except (ArithmeticError, ValueError):  # grids beyond floats, or a box as thin
        return False
    return table.shape == (sum(math.prod(shape) for shape in shapes), config.channels)
