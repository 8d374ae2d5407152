"""Packages of one network in several input layouts, so that a device can tell which is fastest."""

from __future__ import annotations

from dataclasses import replace

from mobile_nelf.deploy.contract import Contract, parse_contract
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import required_psnr_db
from mobile_nelf.vocabulary import LayoutName
from mobile_nelf_exporters.coreml.convert import FP32_ENCODERS
from mobile_nelf_exporters.coreml.package.package import Package

__all__ = ["in_layout", "package_contract"]


def in_layout(contract: Contract, layout: LayoutName) -> Contract:
    """Returns the contract of the same network in another input layout.

    Inputs and outputs stay in fp16 where the layout's numbers allow it.
    """
    io = "fp32" if layout in FP32_ENCODERS else contract.inputs[0].dtype
    inputs = find_layout(layout).inputs(contract.student)
    image = contract.output_form == "image"
    return replace(
        contract,
        layout=layout,
        inputs=tuple(replace(spec, dtype=io) for spec in inputs),
        output=contract.output if image else replace(contract.output, dtype=io),
        min_psnr_db=required_psnr_db(
            layout, contract.student.activation, contract.activation, fp16_weights=True
        ),
    )


def package_contract(package: Package, contract: Contract) -> Contract:
    """Returns what a package of a bundle must keep to: the bundle's contract, in its own layout.

    Raises:
        BundleError: the package carries no contract.
    """
    layout = parse_contract(package.metadata, package.name).layout
    return contract if layout == contract.layout else in_layout(contract, layout)
