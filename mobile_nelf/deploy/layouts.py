"""Input layouts: how the encoder is split between the host and the graph.

Each layout names the tensors that the host uploads per frame, computes them in float64 from a
camera, and gives the module that turns them into the student's input inside the graph.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from mobile_nelf.cameras import Camera, FloatArray
from mobile_nelf.deploy.encoders import (
    CameraEncoder,
    ExpandedFactoredEncoder,
    FactoredEncoder,
    RayEncoder,
)
from mobile_nelf.encoding import FactoredTables, factored_tables
from mobile_nelf.errors import DeployError
from mobile_nelf.rays import ray_grid, ray_map, sample_depths
from mobile_nelf.rendering import encoded_rays
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.vocabulary import BorderType, LayoutName

__all__ = ["LAYOUTS", "Layout", "TensorSpec", "find_layout"]


@dataclass(frozen=True)
class TensorSpec:
    """One tensor at the border of an artefact, of rank 4.

    Attributes:
        name: its name in the graph.
        shape: static [1, channels, rows, columns].
        meaning: what it holds: order of channels, frame, units.
        dtype: of its numbers.
    """

    name: str
    shape: tuple[int, int, int, int]
    meaning: str
    dtype: BorderType = "fp32"

    @property
    def bytes(self) -> int:
        """Size of the tensor."""
        return (2 if self.dtype == "fp16" else 4) * math.prod(self.shape)


class Layout(ABC):
    """One split of the encoder.

    Attributes:
        name: as on the command line.
        grouped: whether `encoder` yields channels in the grouped order of `encoding`, so that the
            first layer of the student must be re-ordered.
    """

    name: ClassVar[LayoutName]
    grouped: ClassVar[bool] = True

    @abstractmethod
    def inputs(self, student: StudentConfig) -> tuple[TensorSpec, ...]:
        """Returns the tensors to upload, in the order of the encoder's arguments."""

    @abstractmethod
    def host(self, camera: Camera, encoder: EncoderConfig) -> dict[str, FloatArray]:
        """Returns the uploads for a camera on the ray grid, by name, in float64."""

    @abstractmethod
    def encoder(self, student: StudentConfig, expand: bool) -> nn.Module:
        """Returns the in-graph part; maps `inputs` to [1, C·(2L+1), h, w].

        Args:
            student: ray grid, samples and frequencies.
            expand: use no elementwise operator that broadcasts both operands, for back-ends that
                allow one at a time.
        """


class Embedded(Layout):
    """The host computes the whole encoding, as the research code does."""

    name = "embedded"
    grouped = False

    def inputs(self, student: StudentConfig) -> tuple[TensorSpec, ...]:
        """See `Layout.inputs`."""
        shape = (1, student.encoder.channels, student.ray_height, student.ray_width)
        meaning = "encoded ray samples; channel coord·(2L+1)+j: L sines, L cosines, the coordinate"
        return (TensorSpec("input", shape, meaning),)

    def host(self, camera: Camera, encoder: EncoderConfig) -> dict[str, FloatArray]:
        """See `Layout.host`."""
        return {"input": encoded_rays(camera, encoder).numpy()}

    def encoder(self, student: StudentConfig, expand: bool) -> nn.Module:
        """See `Layout.encoder`."""
        return nn.Identity()


class Rays(Layout):
    """The host computes a ray for each cell of the grid; sampling and encoding are in the graph."""

    name = "rays"

    def inputs(self, student: StudentConfig) -> tuple[TensorSpec, ...]:
        """See `Layout.inputs`."""
        shape = (1, 6, student.ray_height, student.ray_width)
        meaning = "ray origin xyz, then unnormalised direction xyz, world frame"
        return (TensorSpec("rays", shape, meaning),)

    def host(self, camera: Camera, encoder: EncoderConfig) -> dict[str, FloatArray]:
        """See `Layout.host`."""
        return {"rays": ray_grid(camera)[None]}

    def encoder(self, student: StudentConfig, expand: bool) -> nn.Module:
        """See `Layout.encoder`."""
        return RayEncoder(student.encoder)


class CameraLayout(Layout):
    """The host uploads the twelve numbers of the ray map; everything else is in the graph."""

    name = "camera"

    def inputs(self, student: StudentConfig) -> tuple[TensorSpec, ...]:
        """See `Layout.inputs`."""
        meaning = (
            "origin xyz, d0 xyz, du xyz, dv xyz, world frame; the ray of column u, row v starts at "
            "origin and has direction d0 + u·du + v·dv"
        )
        return (TensorSpec("camera", (1, 12, 1, 1), meaning),)

    def host(self, camera: Camera, encoder: EncoderConfig) -> dict[str, FloatArray]:
        """See `Layout.host`."""
        return {"camera": ray_map(camera).flat().reshape(1, 12, 1, 1)}

    def encoder(self, student: StudentConfig, expand: bool) -> nn.Module:
        """See `Layout.encoder`."""
        return CameraEncoder(student)


class Factored(Layout):
    """The host computes sines of rows and of columns; the graph multiplies and adds them.

    Exact, without trigonometry in the graph, and safe in fp16 (`encoding.FactoredTables`).
    """

    name = "factored"

    def inputs(self, student: StudentConfig) -> tuple[TensorSpec, ...]:
        """See `Layout.inputs`."""
        encoder = student.encoder
        phases = encoder.coords * encoder.frequencies
        specs = []
        for name in FactoredTables._fields:
            channels = encoder.coords if name.startswith("point") else phases
            kind = {"sin": "sine", "cos": "cosine", "point": "part"}[name.split("_")[0]]
            if name.endswith("columns"):
                shape = (1, channels, 1, student.ray_width)
            else:
                shape = (1, channels, student.ray_height, 1)
            part = "column" if name.endswith("columns") else "row"
            what = "coordinate" if name.startswith("point") else "phase level·C+coord"
            specs.append(TensorSpec(name, shape, f"{kind} of the {part} share of {what}"))
        return tuple(specs)

    def host(self, camera: Camera, encoder: EncoderConfig) -> dict[str, FloatArray]:
        """See `Layout.host`."""
        lens = camera.intrinsics
        depths = sample_depths(encoder.near, encoder.far, encoder.samples)
        tables = factored_tables(
            ray_map(camera), lens.width, lens.height, depths, encoder.frequencies
        )
        return {
            name: table[None, :, None, :] if name.endswith("columns") else table[None, :, :, None]
            for name, table in tables._asdict().items()
        }

    def encoder(self, student: StudentConfig, expand: bool) -> nn.Module:
        """See `Layout.encoder`."""
        return ExpandedFactoredEncoder(student) if expand else FactoredEncoder()


LAYOUTS: tuple[Layout, ...] = (Factored(), Rays(), CameraLayout(), Embedded())


def find_layout(name: str) -> Layout:
    """Returns the layout called `name`.

    Raises:
        DeployError: there is none.
    """
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise DeployError(
        f"unknown layout {name!r}, expected one of {', '.join(layout.name for layout in LAYOUTS)}"
    )
