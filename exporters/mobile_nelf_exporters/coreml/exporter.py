"""Target `coreml`: packages for iPhone and iPad, executed and compared without either."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from torch import nn

from mobile_nelf._version import __version__
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compression.palettes import rounded_for
from mobile_nelf.deploy.contract import Contract, default_activation, make_contract
from mobile_nelf.deploy.eight_bits import INT8, UNPROVED
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import Layout, find_layout
from mobile_nelf.deploy.tolerances import (
    FP16_LIMIT,
    required_psnr_db,
)
from mobile_nelf.devices import Device, Measurement
from mobile_nelf.errors import BundleError, DeployError, InputError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Inspection, ModelRecord
from mobile_nelf.export.reference import Reference
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.export.tables import Table
from mobile_nelf.extras import import_extra
from mobile_nelf.progress import Progress, silent
from mobile_nelf.vocabulary import BorderType, Experience, WeightForm
from mobile_nelf_exporters.coreml.activations import MIN_IOS, activations_in_8_bits
from mobile_nelf_exporters.coreml.app import (
    APP_IOS,
    HarnessModel,
    render_ios_harness,
    sample_app,
)
from mobile_nelf_exporters.coreml.checks import (
    ACTIVATION_OPERATORS,
    app_experience,
    check_package,
    ios_version,
    program_facts,
    weight_form,
)
from mobile_nelf_exporters.coreml.compress import MIN_ELEMENTS, compress
from mobile_nelf_exporters.coreml.convert import FP32_ENCODERS, convert, package_files
from mobile_nelf_exporters.coreml.estimate import estimate_table
from mobile_nelf_exporters.coreml.facts import program_cost
from mobile_nelf_exporters.coreml.mac import (
    CoremltoolsRuntime,
    is_mac,
    mac_model,
    unpacked,
)
from mobile_nelf_exporters.coreml.measure import BenchedPackage, measure_packages
from mobile_nelf_exporters.coreml.options import Options
from mobile_nelf_exporters.coreml.package.format import IOS_VERSIONS, SUFFIX, WEIGHTS, package_names
from mobile_nelf_exporters.coreml.package.package import Package, canonical_dump, read_package
from mobile_nelf_exporters.coreml.placed import measured_placement
from mobile_nelf_exporters.coreml.placement import place, placement_table
from mobile_nelf_exporters.coreml.runtimes import (
    demanded_psnr_db,
    mac_runtime,
    package_runtimes,
    second_opinion,
)
from mobile_nelf_exporters.names import check_name
from mobile_nelf_exporters.templates import template_environment

__all__ = ["CoremlExporter"]


NOT_MEASURED = (
    "that Swift Playgrounds and Xcode build the app, and what it shows on a screen",
    "latency, FPS, memory and heat on a device",
    "where a device runs each operation; the placement is by rules only",
    "the arithmetic of the device's own kernels, GELU's table among it, and rounding to 8 bits",
    "that Core ML compiles the package",
)


class CoremlExporter(Exporter[Options]):
    """Exports Core ML packages, one for each form of the weights."""

    target: ClassVar[str] = "coreml"
    options = Options

    def export(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        """See `Exporter.export`.

        Raises:
            InputError: `name` is not a name for an app, or a version of iOS is not to be had.
        """
        # By default what the app itself needs.
        ios = APP_IOS if options.ios is None else options.ios
        weights = options.weights or ("fp16",)
        _check_options(name, ios, weights)
        reason = "asked for"
        if options.layout is None:
            reason = (
                "no trigonometry in the graph, so all of it can be computed in fp16 and on the "
                "Neural Engine"
            )
        layout = find_layout(options.layout or "factored")
        activation = options.activation or default_activation(checkpoint, "erf")
        if activation not in ACTIVATION_OPERATORS:
            raise DeployError(
                f"activation {activation!r} is an operator of SnapML; Core ML has "
                f"{', '.join(ACTIVATION_OPERATORS)}"
            )
        output_form = options.output_form or "tensor"
        experience = options.experience or "orbit"
        if output_form == "image" and checkpoint.student.out_channels != 3:
            raise DeployError(
                "a picture of Core ML is RGB, and this student renders RGB and alpha; leave out "
                "output_form image",
                arguments=["output_form"],
            )
        largest = max(weight.numel() for weight in checkpoint.weights.values())
        if largest <= MIN_ELEMENTS and weights != ("fp16",):
            raise DeployError(
                f"no layer has more than {MIN_ELEMENTS} weights, so {', '.join(weights)} would "
                "store nothing smaller; leave out weights",
                arguments=["weights"],
            )
        contract = make_contract(checkpoint, layout, activation, output_form)
        io = _border_type(options.io, layout)
        contract = replace(
            contract,
            inputs=tuple(replace(spec, dtype=io) for spec in contract.inputs),
            # A picture has 8 bits on the way out, whatever is computed.
            output=replace(contract.output, dtype="fp32" if output_form == "image" else io),
            min_psnr_db=self.required_psnr_db(contract),
        )
        form = deploy_form(checkpoint, layout, activation, expand=False)
        _refuse_large_weights(form)
        # First, since it fails at once where the runtime is not installed.
        opinions = (second_opinion(form, contract),) if options.second_opinion else ()
        converted = {id(checkpoint): convert(form, contract, ios)}
        files: dict[str, bytes] = {}
        for index, (stored, rounded) in enumerate(rounded_for(checkpoint, weights).items()):
            if id(rounded) not in converted:
                form = deploy_form(rounded, layout, activation, expand=False)
                converted[id(rounded)] = convert(form, contract, ios)
            package = f"{name}{f'-{stored}' if index else ''}{SUFFIX}"
            model = converted[id(rounded)]
            if stored == INT8:
                model = activations_in_8_bits(model, rounded, contract)
            else:
                model = compress(model, stored)
            files |= package_files(model, package, contract, stored, experience)
        packages = _read_packages(files)
        files["README.md"] = _readme(name, contract, ios, packages, experience)
        not_measured = (*NOT_MEASURED, UNPROVED) if INT8 in weights else NOT_MEASURED
        return Exported(contract, files, reason, not_measured, opinions=opinions)

    def companions(
        self, files: dict[str, bytes], contract: Contract, name: str
    ) -> dict[str, bytes]:
        """Returns the app that shows and measures the packages; see `Exporter.companions`."""
        packages = _read_packages(files)
        models = [
            HarnessModel(
                package.name,
                weight_form(package),
                demanded_psnr_db(package, contract, emulated=True),
            )
            for package in packages
        ]
        return render_ios_harness(
            contract,
            models,
            files,
            name,
            ios_version(packages[0]),
            app_experience(packages[0]),
        )

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`. Cost and placement are those of the first package.

        The others differ in how weights are stored, not in what is computed.
        """
        packages = _read_packages(files)
        facts = program_facts(packages[0])
        return Inspection(
            program_cost(facts),
            {package.name: _record(package, files) for package in packages},
            (placement_table(place(facts)), estimate_table(facts)),
        )

    def next_step(self, bundle: Path, name: str) -> str:
        """See `Exporter.next_step`."""
        return f"read {bundle / 'README.md'}: how it gets onto an iPad"

    def required_psnr_db(self, contract: Contract) -> float:
        """See `Exporter.required_psnr_db`; weights are stored in fp16."""
        return required_psnr_db(
            contract.layout,
            contract.student.activation,
            contract.activation,
            fp16_weights=True,
        )

    def measure(
        self, files: dict[str, bytes], contract: Contract, name: str, on_progress: Progress = silent
    ) -> Measurement:
        """See `Exporter.measure`; needs a Mac, where coremltools reaches Core ML."""
        if not is_mac():
            raise InputError(
                "Core ML is on Apple's systems alone: run this on a Mac, or open the folder "
                "ios_harness of the bundle on an iPad, and import the file that the app shares"
            )
        tools = import_extra("coremltools", "coreml")
        model, system = mac_model()
        packages = [
            BenchedPackage(
                package.name,
                package.weights_sha256,
                demanded_psnr_db(package, contract, emulated=True),
            )
            for package in _read_packages(files)
        ]
        with unpacked(files) as folder:
            return measure_packages(
                packages,
                Path(folder),
                contract,
                Reference.from_files(files),
                name,
                Device(model, system, f"{__version__} (coremltools {tools.__version__})", False),
                CoremltoolsRuntime(tools),
                on_progress,
            )

    def measured_tables(
        self, inspection: Inspection, measurement: Measurement
    ) -> tuple[Table, ...]:
        """Returns where operations run by the rules and by the device's own answer."""
        return measured_placement(inspection, measurement)

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`."""
        runtimes: list[Runtime] = []
        for index, package in enumerate(_read_packages(files)):
            check_package(package, contract)
            runtimes += package_runtimes(package, contract, table=index == 0)
            if is_mac():
                runtimes.append(mac_runtime(package, files, contract))
        return tuple(runtimes)


def _refuse_large_weights(form: nn.Module) -> None:
    """Refuses weights that are infinite in fp16, in which packages store and compute."""
    for name, value in form.state_dict().items():
        largest = float(value.abs().max()) if value.is_floating_point() and value.numel() else 0.0
        if largest > FP16_LIMIT:
            raise DeployError(
                f"layer {name} has values up to {largest:.3g}, and fp16, in which packages store "
                f"them, ends at {FP16_LIMIT:g}; fine-tune with weight decay until they are "
                "smaller, or use a target that computes in float32"
            )


def _check_options(name: str, ios: int, weights: tuple[WeightForm, ...]) -> None:
    check_name(name, "app")
    if ios not in IOS_VERSIONS:
        raise InputError(
            f"iOS {ios} is not a target; expected {', '.join(map(str, IOS_VERSIONS))}",
            arguments=["ios"],
        )
    if INT8 in weights and ios < MIN_IOS:
        raise InputError(
            f"weights {INT8} needs iOS {MIN_IOS}, whose Core ML is the first with such activations",
            arguments=["ios", "weights"],
        )
    if len(set(weights)) < len(weights):
        raise InputError(
            f"weights {', '.join(weights)}: name each form once", arguments=["weights"]
        )


def _border_type(asked: BorderType | None, layout: Layout) -> BorderType:
    """Returns the type of inputs and outputs.

    Raises:
        DeployError: fp16 is asked for in a layout whose numbers it does not hold.
    """
    if layout.name not in FP32_ENCODERS:
        return asked or "fp16"
    if asked == "fp16":
        raise DeployError(
            f"layout {layout.name} uploads rays, of which fp16 keeps 3 digits where 2⁵·x needs 6; "
            "leave out io, or choose layout factored or embedded"
        )
    return "fp32"


def _read_packages(files: dict[str, bytes]) -> list[Package]:
    """Returns the packages of a bundle, the main one first."""
    names = package_names(files)
    if not names:
        raise BundleError(f"*{SUFFIX}: is missing; bundle it again")
    return [read_package(files, name) for name in names]


def _record(package: Package, files: dict[str, bytes]) -> ModelRecord:
    prefix = f"{package.name}/"
    return ModelRecord(
        weights=weight_form(package),
        # The canonical text of the program: operations, attributes, shapes and weights.
        sha256=hashlib.sha256(canonical_dump(package).encode()).hexdigest(),
        bytes=sum(len(content) for path, content in files.items() if path.startswith(prefix)),
        weights_file=prefix + WEIGHTS,
    )


def _readme(
    name: str, contract: Contract, ios: int, packages: list[Package], experience: Experience
) -> bytes:
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
                {"name": package.name, "weights": weight_form(package), "size": package.model_bytes}
                for package in packages
            ],
            version=__version__,
        )
    )
    return text.encode()
