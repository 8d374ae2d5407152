"""What of a student computes in 8 bits, and which ranges its numbers have.

The head stays float, and so does the last stage with blocks and what comes after it: they read the
sharpest and write the finest numbers. So do the sums of a stream, or each block would round it
again; convs read a rounded copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import DeployError
from mobile_nelf.pruning.calibration import random_pose
from mobile_nelf.students import StudentConfig
from mobile_nelf.vocabulary import WeightForm

__all__ = ["INT8", "UNPROVED", "Kind", "Ranges", "calibration_uploads", "eight_bit_span"]

#: What a model with 8-bit activations says of its weights.
INT8: WeightForm = "int8-activations"

#: What nobody has measured of such a model.
UNPROVED = "whether 8 bits are faster or even right on a device"

#: Poses that ranges are taken from.
POSES = 12

#: Share of the numbers of a tensor beyond each end of its range, where they are clipped. A few far
#: ones would make the grid coarser for all others.
BEYOND = 1e-4

#: What an operation of a graph is, as far as it matters here.
Kind = Literal["conv", "enlarging", "other"]


class Ranges:
    """Least and largest numbers of tensors, but for the few beyond, as a mean over frames."""

    def __init__(self) -> None:
        """Begins without a frame."""
        self._ends: dict[str, list[tuple[float, float]]] = {}

    def see(self, name: str, values: npt.NDArray[np.float32]) -> None:
        """Adds a frame of a tensor."""
        beyond = int(BEYOND * values.size)
        last = values.size - 1 - beyond
        ordered = np.partition(values.ravel(), (beyond, last))
        self._ends.setdefault(name, []).append((float(ordered[beyond]), float(ordered[last])))

    def found(self) -> dict[str, tuple[float, float]]:
        """Returns the ends of the range of each tensor."""
        return {
            name: (
                sum(low for low, _ in ends) / len(ends),
                sum(high for _, high in ends) / len(ends),
            )
            for name, ends in self._ends.items()
        }


def calibration_uploads(
    checkpoint: Checkpoint, contract: Contract
) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Yields what the host uploads for random poses of the student's own orbit, always the same.

    Args:
        checkpoint: the student.
        contract: of the artefact.
    """
    layout = find_layout(contract.layout)
    rng = np.random.default_rng(0)
    for _ in range(POSES):
        camera = checkpoint.ray_camera(random_pose(checkpoint.orbit, rng))
        host = layout.host(camera, checkpoint.student.encoder)
        yield {name: np.asarray(array, np.float32) for name, array in host.items()}


def eight_bit_span(
    operations: Sequence[tuple[Kind, tuple[int, ...]]], student: StudentConfig
) -> range:
    """Returns the places of what runs after the head and before the last stage with blocks.

    Args:
        operations: of a graph in order, each with the shape of its weight if it has one.
        student: what the graph computes.

    Raises:
        DeployError: no conv lies there.
    """
    # Only the head reads the whole encoding.
    head = next(
        place
        for place, (kind, weight) in enumerate(operations)
        if kind == "conv" and len(weight) == 4 and weight[1] == student.encoder.channels
    )
    enlarging = [place for place, (kind, _) in enumerate(operations) if kind == "enlarging"]
    convs = [place for place, (kind, _) in enumerate(operations) if kind == "conv"]
    if student.products:
        # Three convs of the encoding and the one that mixes them, then the sum with the head.
        head = [place for place in convs if place > head][3] + 1
    # Where the colours are enlarged themselves, the stage before them is the last one with blocks.
    stages = 2 if student.direct_output else 1
    end = enlarging[-stages] if len(enlarging) >= stages else convs[-1]
    span = range(head + 1, end)
    if not any(operations[place][0] != "other" for place in span):
        raise DeployError(
            "8 bits compute what lies between the head and the last stage of a student, and here "
            "nothing does; store the weights in another form",
            arguments=["weights", "quantize"],
        )
    return span
