"""Size of a student as its target ships it, through the target's own door."""

from __future__ import annotations

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.options import make_options, options_of
from mobile_nelf.vocabulary import WeightForm

__all__ = ["model_bytes", "stores_palettes"]


def stores_palettes(target: str) -> bool:
    """Returns whether models of a target can store tables of weights."""
    words = {option.name: option.words for option in options_of(find_exporter(target).options)}
    return "palette-mixed" in words.get("weights", ())


def model_bytes(checkpoint: Checkpoint, target: str, weights: WeightForm | None = None) -> int:
    """Returns the size of the target's main model: on the device where that is predicted.

    Args:
        checkpoint: the student.
        target: name of an installed exporter.
        weights: how weights are stored; chosen by the exporter if None.

    Raises:
        InputError: there is no such target.
        DeployError: the target does not take the student.
        MissingExtraError: its packages are not installed.
    """
    exporter = find_exporter(target)
    chosen = {} if weights is None else {"weights": (weights,)}
    exported = exporter.export(
        checkpoint, "student", make_options(target, exporter.options, chosen)
    )
    inspection = exporter.inspect(exported.files)
    record = inspection.models[inspection.model_paths[0]]
    return record.bytes if record.bytes_on_device is None else record.bytes_on_device
