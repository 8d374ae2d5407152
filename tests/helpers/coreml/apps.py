"""Contracts, reference folders and stand-ins for packages, for the tests of the iPad app."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobile_nelf.cameras import Camera, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.export.reference import Reference
from mobile_nelf.pictures import to_uint8
from mobile_nelf.students import EncoderConfig
from mobile_nelf.vocabulary import LayoutName
from mobile_nelf_exporters.coreml.app import HarnessModel
from mobile_nelf_exporters.coreml.layouts import in_layout
from tests.helpers.lens.contracts import LIMITED_ORBIT, lens_contract

MODELS = (
    HarnessModel("Mic.mlpackage", "fp16", 50.0),
    HarnessModel("Mic-palette6.mlpackage", "palette6", 45.0),
)


def ios_contract(layout: LayoutName = "factored", orbit: OrbitLimits = LIMITED_ORBIT) -> Contract:
    """The contract of a student on a 4×3 ray grid with all six octaves, of which 2⁵ is the test."""
    contract = replace(lens_contract(layout, orbit), output_white=None)
    student = replace(
        contract.student,
        encoder=EncoderConfig(near=2.0, far=5.5, samples=2, frequencies=6),
        ray_width=4,
        ray_height=3,
    )
    shape = (1, 3, student.image_height, student.image_width)
    return replace(
        contract,
        student=student,
        inputs=find_layout(layout).inputs(student),
        output=replace(contract.output, shape=shape),
        intrinsics=contract.intrinsics.resized(student.image_width, student.image_height),
    )


def every_layout() -> tuple[Contract, tuple[HarnessModel, ...]]:
    """A contract in fp16 and a package for each input layout, `factored` first."""
    contract = ios_contract()
    contract = replace(
        contract, inputs=tuple(replace(spec, dtype="fp16") for spec in contract.inputs)
    )
    others: tuple[LayoutName, ...] = ("rays", "camera", "embedded")
    return contract, (
        HarnessModel("Mic.mlpackage", "fp16", 50.0),
        *(
            HarnessModel(f"Mic-{name}.mlpackage", "fp16", 50.0, in_layout(contract, name))
            for name in others
        ),
    )


def bundle_files(contract: Contract, models: tuple[HarnessModel, ...] = MODELS) -> dict[str, bytes]:
    """Packages that only have the right file names, and a real reference folder of two frames."""
    files = {}
    for model in models:
        data = f"{model.package}/Data/com.apple.CoreML"
        files[f"{model.package}/Manifest.json"] = b"{}\n"
        files[f"{data}/model.mlmodel"] = f"program of {model.package}".encode()
        files[f"{data}/weights/weight.bin"] = f"weights of {model.package}".encode()
    _, channels, height, width = contract.output.shape
    rng = np.random.default_rng(0)
    pixels = rng.random((2, height * width, channels), np.float32)
    cameras = tuple(Camera(pose, contract.intrinsics) for pose in contract.orbit.sweep(2))
    frames = tuple(to_uint8(frame.reshape(height, width, channels)) for frame in pixels)
    return {**files, **Reference(cameras, frames, pixels).to_files()}
