"""The project's own checkpoint: one `torch.save` file that `torch.load(weights_only=True)` reads.

{"format": "mobile-nelf", "version": 1, "student": {...}, "intrinsics": {...}, "orbit": {...},
 "background": [r, g, b], "metrics": {...}, "provenance": {...}, "weights": {name: tensor}}

and "metres_per_unit" where the true size is known.
"""

from __future__ import annotations

import io
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mobile_nelf.atomic import written_beside
from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.checkpoints.safe import describe, printable
from mobile_nelf.checkpoints.weights import checked_weights, state_dict
from mobile_nelf.errors import CheckpointError, ConfigError
from mobile_nelf.parsing import MAX_INTEGER
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.plain import from_dict, if_known, to_dict
from mobile_nelf.students import StudentConfig
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.checkpoints.checkpoint import Checkpoint

__all__ = ["FORMAT", "TEACHER_FORMAT", "VERSION", "read_native", "save_checkpoint"]

FORMAT = "mobile-nelf"
#: Of `teachers.files`; a file in the wrong place deserves a better answer than its format's name.
TEACHER_FORMAT = "mobile-nelf-teacher"
VERSION = 1

#: A header has about 60 values and 1,000 characters. Lists may hold each other, so a few bytes of a
#: file can spell out more values than any memory holds; the limits stop such a file.
MAX_HEADER_SIZE = 20_000
#: The header, `student` in it, `encoder` in that, and the values of that.
MAX_HEADER_DEPTH = 3


@dataclass(frozen=True)
class _Header:
    """Everything but the weights."""

    student: StudentConfig
    intrinsics: Intrinsics
    orbit: OrbitLimits
    background: tuple[float, float, float]
    metrics: dict[str, float]
    provenance: dict[str, str]
    metres_per_unit: float | None = if_known()


def save_checkpoint(checkpoint: Checkpoint, path: AnyPath, *, half: bool = False) -> None:
    """Writes `checkpoint`; the same content gives the same bytes.

    Args:
        checkpoint: what to write.
        path: the file, replaced if it exists; a failure leaves it as it was.
        half: store floating weights as float16, which halves the file and rounds each weight to 11
            bits. Reading gives float32 again.

    Raises:
        CheckpointError: the weights do not fit the student, are NaN, infinite or too large for
            float16, or the rest is not consistent.
        OutputError: the file cannot be written.
    """
    path = as_path(path)
    header = _Header(
        checkpoint.student,
        checkpoint.intrinsics,
        checkpoint.orbit,
        checkpoint.background,
        checkpoint.metrics,
        checkpoint.provenance,
        checkpoint.metres_per_unit,
    )
    content = {
        "format": FORMAT,
        "version": VERSION,
        # Through the reader's checks, so that what was written can be read.
        **to_dict(_checked_header(to_dict(header), path)),
        "weights": checked_weights(checkpoint.weights, checkpoint.student, path),
    }
    if half:
        content["weights"] = {n: _half(n, value, path) for n, value in content["weights"].items()}
    # Not to a path: torch.save would put the file's name inside.
    buffer = io.BytesIO()
    torch.save(_interned(content), buffer)
    with written_beside(path) as partial:
        partial.write_bytes(buffer.getvalue())


def _half(name: str, value: Tensor, path: Path) -> Tensor:
    if not value.is_floating_point():
        return value
    rounded = value.half()
    if not bool(torch.isfinite(rounded).all()):
        raise CheckpointError(
            f"{path}: {name} reaches {float(value.abs().max()):g} and float16 ends at "
            f"{torch.finfo(torch.float16).max:g}; save it without half precision"
        )
    return rounded


def _interned(value: Any) -> Any:
    """Makes equal strings one object, so that the bytes do not depend on where a string came from.

    Pickle writes the second occurrence of an object as a reference to the first.
    """
    if isinstance(value, dict):
        return {sys.intern(key): _interned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_interned(item) for item in value]
    return sys.intern(value) if isinstance(value, str) else value


def read_native(content: dict[Any, Any], path: Path) -> dict[str, Any]:
    """Returns the fields of the checkpoint in the `content` of a file.

    Args:
        content: what the safe reader found; it may hold anything.
        path: of the file, for messages.

    Raises:
        CheckpointError: another format or version, a broken header, or weights that do not fit it.
    """
    if content.get("format") == TEACHER_FORMAT:
        line = command_line("student SCENE --teacher {} -o STUDENT.pt", path.name)
        raise CheckpointError(
            f"{path}: is a teacher, expected a student; train one on what it renders with `{line}`"
        )
    if content.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: its format is {_short(content.get('format'))}, expected {FORMAT!r}"
        )
    version = content.get("version")
    if type(version) is not int or version != VERSION:
        raise CheckpointError(
            f"{path}: is version {_short(version)} of the format, this mnelf reads version "
            f"{VERSION}; use the mnelf that wrote it, or a newer one"
        )
    weights = state_dict(content.get("weights"), path, "weights")
    rest = {key: content[key] for key in content if key not in ("format", "version", "weights")}
    header = _checked_header(rest, path)
    return {**vars(header), "weights": checked_weights(weights, header.student, path)}


def _checked_header(content: dict[Any, Any], path: Path) -> _Header:
    try:
        header = from_dict(_Header, _Plain(path).checked(content), "header")
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    lens, student = header.intrinsics, header.student
    image = (student.image_width, student.image_height)
    if (lens.width, lens.height) != image:
        raise CheckpointError(
            f"{path}: its lens is of {lens.width}×{lens.height} pixels, its student renders "
            f"{image[0]}×{image[1]}"
        )
    if not all(0.0 <= value <= 1.0 for value in header.background):
        raise CheckpointError(f"{path}: its background {header.background} is not within 0 to 1")
    if header.metres_per_unit is not None and not header.metres_per_unit > 0.0:
        raise CheckpointError(
            f"{path}: a unit of its world is {header.metres_per_unit:g} metres long"
        )
    return header


class _Plain:
    """Checks that a header is small and plain before anything walks or prints it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = MAX_HEADER_SIZE

    def checked(self, value: Any, depth: int = MAX_HEADER_DEPTH) -> Any:
        """Returns `value` if it is made of printable text, finite numbers, lists and dicts."""
        self._left -= 1 + (len(value) if isinstance(value, str) else 0)
        if self._left < 0 or depth < 0:
            raise CheckpointError(
                f"{self._path}: its header has more than {MAX_HEADER_SIZE} values and characters "
                f"or {MAX_HEADER_DEPTH} levels; it is damaged or made to exhaust memory"
            )
        if isinstance(value, dict):
            return {
                self.checked(key, depth - 1): self.checked(item, depth - 1)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.checked(item, depth - 1) for item in value]
        printable_text = isinstance(value, str) and value.isprintable()
        exact = isinstance(value, int) and abs(value) <= MAX_INTEGER
        finite = isinstance(value, float) and math.isfinite(value)
        if value is None or printable_text or exact or finite:
            return value
        raise CheckpointError(
            f"{self._path}: its header holds {_short(value)}; expected finite numbers and text "
            "without control characters"
        )


def _short(value: Any) -> str:
    """Shows a scalar from a file; what could be long is only described."""
    if isinstance(value, str):
        return f"'{printable(value)}'"
    exact = isinstance(value, int) and abs(value) <= MAX_INTEGER
    return str(value) if value is None or exact or isinstance(value, float) else describe(value)
