"""Target `coreml`: packages for iPhone and iPad, executed and compared without either."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from mobile_nelf._version import __version__
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.compression.palettes import rounded_for
from mobile_nelf.deploy.contract import (
    Contract,
    default_activation,
    make_contract,
    parse_contract,
)
from mobile_nelf.deploy.eight_bits import INT8, UNPROVED
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import (
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
from mobile_nelf_exporters.coreml.app import (
    APP_IOS,
    HarnessModel,
    render_ios_harness,
)
from mobile_nelf_exporters.coreml.checks import (
    ACTIVATION_OPERATORS,
    check_package,
    ios_version,
    program_facts,
    weight_form,
)
from mobile_nelf_exporters.coreml.convert import convert, package_files
from mobile_nelf_exporters.coreml.estimate import estimate_table, layouts_table
from mobile_nelf_exporters.coreml.facts import program_cost
from mobile_nelf_exporters.coreml.layouts import other_layouts, package_contract
from mobile_nelf_exporters.coreml.mac import (
    CoremltoolsRuntime,
    is_mac,
    mac_model,
    unpacked,
)
from mobile_nelf_exporters.coreml.measure import BenchedPackage, measure_packages
from mobile_nelf_exporters.coreml.measured import measured_runs
from mobile_nelf_exporters.coreml.options import Options
from mobile_nelf_exporters.coreml.package.format import SUFFIX, WEIGHTS, package_names
from mobile_nelf_exporters.coreml.package.package import Package, canonical_dump, read_package
from mobile_nelf_exporters.coreml.placed import measured_placement
from mobile_nelf_exporters.coreml.placement import place, placement_table
from mobile_nelf_exporters.coreml.readme import bundle_readme
from mobile_nelf_exporters.coreml.refusals import (
    border_type,
    check_options,
    check_weights,
    refuse_large_weights,
)
from mobile_nelf_exporters.coreml.runtimes import (
    demanded_psnr_db,
    mac_runtimes,
    package_runtimes,
    second_opinion,
)
from mobile_nelf_exporters.coreml.setting import Setting, app_experience
from mobile_nelf_exporters.coreml.stored import stored_as

__all__ = ["CoremlExporter"]


NOT_MEASURED = (
    "that Swift Playgrounds and Xcode build the app, that Metal compiles its shaders, and what it "
    "shows on a screen",
    "latency, FPS, memory and heat on a device",
    "where a device runs each operation; the placement is by rules only",
    "the arithmetic of the device's own kernels, GELU's table among it, and rounding to 8 bits",
)
#: A Mac compiles and runs every package before it is written.
NOT_COMPILED = "that Core ML compiles the package"


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
        check_options(name, ios, weights)
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
        setting = Setting.of(checkpoint, options.experience, options.size_cm)
        if output_form == "image" and checkpoint.student.out_channels != 3:
            raise DeployError(
                "a picture of Core ML is RGB, and this student renders RGB and alpha; leave out "
                "output_form image",
                arguments=["output_form"],
            )
        check_weights(checkpoint, weights)
        contract = make_contract(checkpoint, layout, activation, output_form)
        io = border_type(options.io, layout)
        contract = replace(
            contract,
            inputs=tuple(replace(spec, dtype=io) for spec in contract.inputs),
            # A picture has 8 bits on the way out, whatever is computed.
            output=replace(contract.output, dtype="fp32" if output_form == "image" else io),
            min_psnr_db=self.required_psnr_db(contract),
        )
        form = deploy_form(checkpoint, layout, activation, expand=False)
        refuse_large_weights(form)
        # First, since it fails at once where the runtime is not installed.
        opinions = (second_opinion(form, contract),) if options.second_opinion else ()
        converted = {id(checkpoint): convert(form, contract, ios)}
        files: dict[str, bytes] = {}
        for index, (stored, rounded) in enumerate(rounded_for(checkpoint, weights).items()):
            if id(rounded) not in converted:
                form = deploy_form(rounded, layout, activation, expand=False)
                converted[id(rounded)] = convert(form, contract, ios)
            package = f"{name}{f'-{stored}' if index else ''}{SUFFIX}"
            model = stored_as(stored, converted[id(rounded)], rounded, contract)
            files |= package_files(model, package, contract, stored, setting)
            if index == 0 and options.every_layout:
                files |= other_layouts(rounded, contract, name, ios, stored, setting)
        packages = _read_packages(files)
        files["README.md"] = bundle_readme(name, contract, ios, packages, setting.experience)
        not_measured = (
            *NOT_MEASURED,
            *(() if is_mac() else (NOT_COMPILED,)),
            *((UNPROVED,) if INT8 in weights else ()),
        )
        return Exported(contract, files, reason, not_measured, opinions=opinions)

    def companions(
        self, files: dict[str, bytes], contract: Contract, name: str
    ) -> dict[str, bytes]:
        """Returns the app that shows and measures the packages; see `Exporter.companions`."""
        packages = _read_packages(files)
        models = []
        for package in packages:
            own = package_contract(package, contract)
            models.append(
                HarnessModel(
                    package.name,
                    weight_form(package),
                    demanded_psnr_db(package, own, emulated=True),
                    None if own == contract else own,
                )
            )
        return render_ios_harness(
            contract,
            models,
            files,
            name,
            ios_version(packages[0]),
            app_experience(packages[0].metadata),
        )

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`. Cost and placement are those of the first package.

        The others differ in how weights are stored, and layouts stand in a table of their own.
        """
        packages = _read_packages(files)
        facts = program_facts(packages[0])
        tables = [placement_table(place(facts)), estimate_table(facts)]
        if len(packages) > 1:
            layouts = [
                (parse_contract(package.metadata, package.name), program_facts(package))
                for package in packages
            ]
            if len({contract.layout for contract, _ in layouts}) > 1:
                tables.append(layouts_table(layouts))
        return Inspection(
            program_cost(facts),
            {package.name: _record(package, files) for package in packages},
            tuple(tables),
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
                demanded_psnr_db(package, own, emulated=True),
                own,
            )
            for package in _read_packages(files)
            for own in (package_contract(package, contract),)
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
        """Returns what the device said of each run, and of where operations run."""
        return measured_runs(measurement) + measured_placement(inspection, measurement)

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`."""
        runtimes: list[Runtime] = []
        for index, package in enumerate(_read_packages(files)):
            # The main one is what the bundle says, in its layout as well.
            own = package_contract(package, contract) if index else contract
            check_package(package, own)
            layout = "" if own == contract else own.layout
            runtimes += package_runtimes(package, own, layout=layout, table=index == 0)
            if is_mac():
                tools = import_extra("coremltools", "coreml")
                runtimes += mac_runtimes(package, files, own, tools)
        return tuple(runtimes)


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
