"""Whether a target takes a network, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from mobile_nelf.checkpoints import CameraOptions, load_checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.errors import InputError, require
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.inspection import Inspection
from mobile_nelf.export.options import is_chosen, make_options
from mobile_nelf.extras import import_extra
from mobile_nelf.file_kinds import HEAD_BYTES, wrong_kind
from mobile_nelf.vocabulary import Activation

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["CheckResult", "check_path", "refuse_choices"]

NO_CHOICES: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True)
class CheckResult:
    """What a target would make of a network.

    Attributes:
        target: name of the exporter.
        contract: of the exported network; None for an ONNX file.
        layout_reason: why the layout was chosen; empty for an ONNX file.
        inspection: cost, models, tables, and what the target refuses.
    """

    target: str
    contract: Contract | None
    layout_reason: str
    inspection: Inspection

    def __repr__(self) -> str:
        """Returns the verdict and how much there is to read."""
        network = self.contract.student.name if self.contract else "the model"
        verdict = "takes" if self.passed else "refuses"
        errors = len(self.inspection.problems)
        return (
            f"CheckResult(target {self.target} {verdict} {network}, {errors} problems, "
            f"{len(self.inspection.findings) - errors} warnings)"
        )

    @property
    def passed(self) -> bool:
        """Whether the target takes the network."""
        return self.inspection.passed


def check_path(
    path: Path,
    *,
    target: str,
    options: Mapping[str, object] = NO_CHOICES,
    camera: CameraOptions | None = None,
    trained_activation: Activation | None = None,
) -> CheckResult:
    """Says whether a target takes the network in a file, and at what cost.

    Args:
        path: a checkpoint, which is exported first, or any ONNX file; told by its content.
        target: name of an installed exporter.
        options: of the export, by name; the exporter chooses the others.
        camera: lens of an official checkpoint, see `load_checkpoint`.
        trained_activation: non-linearity of an official checkpoint, see `load_checkpoint`.

    Raises:
        InputError: no such file or target, an option that the target does not have, or options
            that the file has no use for.
        CheckpointError: the file is neither a checkpoint nor an ONNX model.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    exporter = find_exporter(target)
    model = _read_onnx(require(path, "a checkpoint or an ONNX model"))
    if model is not None:
        foreign = {"camera": camera, "trained_activation": trained_activation}
        refuse_choices(path, "an ONNX model", {**options, **foreign})
        return CheckResult(target, None, "", exporter.check_onnx(model, path))
    chosen = make_options(target, exporter.options, options)
    checkpoint = load_checkpoint(path, camera=camera, trained_activation=trained_activation)
    exported = exporter.export(checkpoint, "check", chosen)
    return CheckResult(
        target, exported.contract, exported.layout_reason, exporter.inspect(exported.files)
    )


def refuse_choices(path: Path, kind: str, chosen: Mapping[str, object]) -> None:
    """Refuses options for a file or folder that is checked as it is.

    Args:
        path: what is checked.
        kind: what it is, such as `an ONNX model`.
        chosen: values of options by name.

    Raises:
        InputError: one of them was chosen.
    """
    if any(map(is_chosen, chosen.values())):
        raise InputError(
            f"{path}: is {kind} and is checked as it is; layout, activation, camera and the "
            "like are options for checkpoints"
        )


def _read_onnx(path: Path) -> ModelProto | None:
    """Returns the model in an ONNX file, and None for a file of another kind."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if kind := wrong_kind(head, path.name):
        raise InputError(f"{path}: {kind}")
    if head.startswith((b"PK\x03\x04", b"\x80")):  # what torch writes, now and before 1.6
        return None
    onnx = import_extra("onnx", "lens")
    decode_error = import_extra("google.protobuf.message", "lens").DecodeError
    try:
        # Weights in other files are reported and not needed.
        model: ModelProto = onnx.load(path, format="protobuf", load_external_data=False)
    except decode_error as error:
        if path.suffix == ".onnx":
            raise InputError(
                f"{path}: is truncated or not an ONNX model; export it again"
            ) from error
        return None
    # Protobuf skips what it does not know, so many files parse as a model of nothing.
    return model if model.graph.node else None
