"""The README of a Core ML bundle: how it gets onto an iPad, and how it was proved."""

from __future__ import annotations

from mobile_nelf._version import __version__
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.vocabulary import Experience
from mobile_nelf_exporters.coreml.app import APP_IOS, sample_app
from mobile_nelf_exporters.coreml.checks import weight_form
from mobile_nelf_exporters.coreml.layouts import package_contract
from mobile_nelf_exporters.coreml.package.package import Package
from mobile_nelf_exporters.templates import template_environment

__all__ = ["bundle_readme"]


def bundle_readme(
    name: str, contract: Contract, ios: int, packages: list[Package], experience: Experience
) -> bytes:
    """Returns the README of a bundle."""
    text: str = (
        template_environment()
        .get_template("README.coreml.md.j2")
        .render(
            name=name,
            contract=contract,
            ios=ios,
            app_ios=max(ios, APP_IOS),
            experience=experience,
            sample=sample_app(packages[0].name, experience),
            packages=[
                {
                    "name": package.name,
                    "weights": weight_form(package),
                    "size": package.model_bytes,
                    "layout": package_contract(package, contract).layout,
                }
                for package in packages
            ],
            version=__version__,
        )
    )
    return text.encode()
