"""Contracts of tiny students for the tests of the Lens Studio project."""

from __future__ import annotations

from dataclasses import replace

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.deploy.contract import CUT_OUT, Contract
from mobile_nelf.deploy.layouts import LAYOUTS, TensorSpec, find_layout
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.vocabulary import LayoutName

LAYOUT_NAMES = tuple(layout.name for layout in LAYOUTS)

#: Nothing is symmetric, centred or a unit, so that a swapped axis shows.
LIMITED_ORBIT = OrbitLimits(
    target=(0.1, -0.2, 0.3),
    up=(0.0, 0.6, 0.8),
    azimuth=(-40.0, 75.0),
    elevation=(-10.0, 62.0),
    radius=(3.5, 4.25),
)
FULL_ORBIT = OrbitLimits(
    target=(0.0, 0.0, 0.0),
    up=(0.0, 0.0, 1.0),
    azimuth=(-180.0, 180.0),
    elevation=(0.0, 80.0),
    radius=(4.0, 4.0),
)


def lens_contract(
    layout: LayoutName,
    orbit: OrbitLimits = LIMITED_ORBIT,
    channels: int = 3,
) -> Contract:
    """The contract of a student on a 6×5 ray grid with one ×2 stage; no weights belong to it.

    Its output has a border of one pixel.
    """
    student = StudentConfig(
        EncoderConfig(near=2.0, far=5.5, samples=4, frequencies=3),
        depth=6,
        width=16,
        sr_widths=(8,),
        ray_width=6,
        ray_height=5,
        out_channels=4 if channels == 4 else 3,
        activation="relu",
    )
    shape = (1, channels, student.image_height + 2, student.image_width + 2)
    return Contract(
        layout=layout,
        activation="relu",
        inputs=find_layout(layout).inputs(student),
        output=TensorSpec("output", shape, "colour"),
        output_form="tensor",
        student=student,
        intrinsics=Intrinsics(12, 10, fx=14.0, fy=13.0, cx=6.25, cy=4.75),
        orbit=orbit,
        ball_radius=1.25,
        background=(1.0, 1.0, 1.0),
        weights_sha256="0" * 64,
        min_psnr_db=60.0,
        output_white=255.0,
    )


def cut_out_contract(layout: LayoutName, orbit: OrbitLimits = LIMITED_ORBIT) -> Contract:
    """The same student with alpha, for a surface of its own."""
    contract = lens_contract(layout, orbit, channels=4)
    student = contract.student
    shape = (1, 4, student.image_height, student.image_width)
    return replace(contract, output=replace(contract.output, name=CUT_OUT, shape=shape))


def middle_of(orbit: OrbitLimits) -> tuple[float, float, float]:
    """Azimuth and elevation in degrees and distance."""
    return sum(orbit.azimuth) / 2, sum(orbit.elevation) / 2, sum(orbit.radius) / 2
