"""Packages of one network in several input layouts, so that a device can tell which is fastest."""

from __future__ import annotations

from dataclasses import replace

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, parse_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import LAYOUTS, find_layout
from mobile_nelf.deploy.tolerances import required_psnr_db
from mobile_nelf.vocabulary import LayoutName, WeightForm
from mobile_nelf_exporters.coreml.convert import FP32_ENCODERS, convert, package_files
from mobile_nelf_exporters.coreml.package.format import SUFFIX
from mobile_nelf_exporters.coreml.package.package import Package
from mobile_nelf_exporters.coreml.setting import Setting
from mobile_nelf_exporters.coreml.stored import stored_as

__all__ = ["in_layout", "other_layouts", "package_contract"]


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


def other_layouts(
    checkpoint: Checkpoint,
    contract: Contract,
    name: str,
    ios: int,
    weights: WeightForm,
    setting: Setting,
) -> dict[str, bytes]:
    """Returns packages of the same network in the layouts that are not the contract's.

    Args:
        checkpoint: the student, rounded for the form of the weights.
        contract: of the main package.
        name: of the bundle; that of a layout is added to it.
        ios: lowest version of iOS and iPadOS.
        weights: how they are stored.
        setting: what people do with them.
    """
    files: dict[str, bytes] = {}
    for layout in LAYOUTS:
        if layout.name != contract.layout:
            own = in_layout(contract, layout.name)
            form = deploy_form(checkpoint, layout, contract.activation, expand=False)
            model = stored_as(weights, convert(form, own, ios), checkpoint, own)
            package = f"{name}-{layout.name}{SUFFIX}"
            files |= package_files(model, package, own, weights, setting)
    return files
