"""Target `web`: one HTML file that shows the light field on any phone or desktop."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation, make_contract
from mobile_nelf.deploy.cost import Cost
from mobile_nelf.deploy.form import deploy_network
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.deploy.tolerances import EMULATED_MIN_PSNR_DB
from mobile_nelf.errors import BundleError, ConfigError, DeployError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Finding, Inspection, ModelRecord
from mobile_nelf.export.live import LiveView
from mobile_nelf.export.reference import Reference
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf.plain import from_dict
from mobile_nelf_exporters.names import check_name
from mobile_nelf_exporters.templates import render_readme
from mobile_nelf_exporters.web.browser import browser_path, can_contain
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.packing import pack_network
from mobile_nelf_exporters.web.page import ELEMENT, PAGE, WEIGHTS, Page, read_page, render_page
from mobile_nelf_exporters.web.program import trace_network
from mobile_nelf_exporters.web.runtime import PageSession, layers_function
from mobile_nelf_exporters.web.scene import live_scene_data, poster_uri, scene_data
from mobile_nelf_exporters.web.steps import VECTOR, Program, Step

__all__ = ["WebExporter"]

#: Poses that a page can check itself with.
REFERENCE_FRAMES = 8

#: Work of a frame above which phones are expected to stutter.
HEAVY_GFLOP = 5.0

#: Engines of a page: names in the script and for people.
ENGINES = {"webgpu": "WebGPU", "webgl2": "WebGL2", "half": "WebGL2 with half floats"}

NOT_MEASURED = "speed on a phone: open the page there, tap i, tap Measure the speed"


class WebExporter(Exporter[Options]):
    """Exports a page that computes every picture by itself."""

    target: ClassVar[str] = "web"
    options = Options
    has_page: ClassVar[bool] = True

    def export(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        """See `Exporter.export`."""
        check_name(name, "page")
        return self._exported(checkpoint, name, options)

    def _exported(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        activation = options.activation or default_activation(checkpoint, "erf")
        if activation == "gelusnap":
            raise DeployError(
                "activation gelusnap is a node of SnapML, which a page does not have; expected "
                "erf, tanh or relu"
            )
        student = checkpoint.student
        layout = find_layout("factored")
        contract = make_contract(checkpoint, layout, activation)
        network = trace_network(
            deploy_network(checkpoint, activation, grouped=True),
            student.encoder.channels,
            student.ray_height,
            student.ray_width,
        )
        packed = pack_network(network, options.page_weights or "fp16")
        rays = student.ray_width * student.ray_height
        gflop = 2.0 * rays * sum(layer.macs_a_ray for layer in network.layers) / 1e9
        reference, frames = Reference.render(checkpoint, REFERENCE_FRAMES)
        page = Page(
            scene_data(contract, name, packed, gflop, reference, frames),
            packed.content,
            poster_uri(reference.frames[0], contract.background),
        )
        files = render_page(page)
        files["README.md"] = render_readme(
            "README.web.md.j2",
            name,
            contract,
            gflop=gflop,
            size=len(files[PAGE]) + len(files.get(WEIGHTS, b"")),
            inside=WEIGHTS not in files,
            precision=packed.program.precision,
        )
        not_measured: tuple[str, ...] = (NOT_MEASURED,)
        if browser_path() is None:
            not_measured += ("the page in a browser, since Chromium is not installed here",)
        reason = "sines in double precision, none in a shader"
        return Exported(contract, files, reason, not_measured)

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`."""
        page = read_page(files)
        contract, program = _contract(page), page.program
        width, height = contract.student.ray_width, contract.student.ray_height
        cost = _cost(program, width * height)
        gflop = 2.0 * cost.macs / 1e9
        size = len(files[PAGE]) + len(files.get(WEIGHTS, b""))
        record = ModelRecord(
            program.precision, page.scene["artefact_sha256"], size, weights_file=PAGE
        )
        findings: tuple[Finding, ...] = ()
        if gflop > HEAVY_GFLOP:
            findings = (
                Finding(
                    PAGE,
                    "warning",
                    f"a frame takes {gflop:.1f} GFLOP, more than the {HEAVY_GFLOP:g} that phones "
                    "are expected to show smoothly",
                    "train a smaller preset for the web, such as --preset small",
                ),
            )
        return Inspection(cost, {PAGE: record}, (_stages(program, width, height),), findings)

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`.

        A page whose script is the one that this version writes may run wherever it came from; any
        other script is its sender's.
        """
        page = read_page(files)
        if _contract(page) != contract:
            raise BundleError(f"{PAGE}: carries another contract than the manifest")
        shipped = {name: files[name] for name in (PAGE, WEIGHTS, ELEMENT) if name in files}
        foreign = render_page(page) != shipped
        student = contract.student
        macs = _cost(page.program, student.ray_width * student.ray_height).macs
        gflop = 2.0 * macs / 1e9
        runtimes = [
            Runtime(
                "layers and weights of the page",
                PAGE,
                "run by PyTorch, without the page's script",
                layers_function(page, contract),
                contract.min_psnr_db,
            )
        ]
        if page.program.precision == "fp16":
            runtimes.append(
                Runtime(
                    "page on WebGPU with f16",
                    PAGE,
                    "emulated: results and short sums rounded to 16 bits; devices without f16, "
                    "and those whose first frame is wrong, take 32 bits",
                    layers_function(page, contract, f16=True),
                    min(contract.min_psnr_db, EMULATED_MIN_PSNR_DB),
                    emulates=True,
                    frames=1 if gflop > HEAVY_GFLOP else None,
                )
            )
        # As root a browser runs without its sandbox, in which somebody else's script has to stay.
        if browser_path() is not None and (not foreign or can_contain()):
            session = PageSession(shipped, contract, gflop)
            runtimes += [
                Runtime(
                    f"page in Chromium, {title}",
                    PAGE,
                    "on a software adapter"
                    if engine != "half"
                    else "as on a device without 32-bit render targets",
                    session.frame_function(engine),
                    min(contract.min_psnr_db, EMULATED_MIN_PSNR_DB)
                    if engine == "half"
                    else contract.min_psnr_db,
                    emulates=engine == "half",
                    runs_scripts=foreign,
                    frames=1 if gflop > HEAVY_GFLOP else None,
                )
                for engine, title in ENGINES.items()
            ]
        return tuple(runtimes)

    def page(self, checkpoint: Checkpoint, name: str) -> dict[str, bytes]:
        """See `Exporter.page`."""
        files = self._exported(checkpoint, name, Options()).files
        return {path: files[path] for path in (PAGE, WEIGHTS) if path in files}

    def live_page(self, live: LiveView) -> dict[str, bytes]:
        """See `Exporter.live_page`."""
        return render_page(Page(live_scene_data(live), b"", poster_uri(live.poster, (1, 1, 1))))

    def next_step(self, bundle: Path, name: str) -> str:
        """See `Exporter.next_step`."""
        return f"open {bundle / PAGE} in a browser, or send it to a phone"


def _contract(page: Page) -> Contract:
    """The contract in a page.

    Raises:
        BundleError: there is none.
    """
    try:
        return from_dict(Contract, page.scene.get("contract"), "scene.contract")
    except ConfigError as error:
        raise BundleError(f"{PAGE}: cannot be read ({error}); bundle it again") from error


def _cost(program: Program, rays: int) -> Cost:
    """Work, and the memory that the page allocates for activations."""
    macs = sum(step.macs_a_ray for step in program.steps)
    return Cost(macs * rays, 4 * VECTOR * rays * sum(program.vectors_a_ray()))


def _stages(program: Program, width: int, height: int) -> Table:
    """What is computed at each size of the picture."""
    stages: dict[int, list[Step]] = {}
    for step in program.steps:
        stages.setdefault(step.scale * step.up, []).append(step)
    rows = []
    for scale, steps in stages.items():
        gflop = 2 * width * height * sum(step.macs_a_ray for step in steps) / 1e9
        widths = sorted({step.outputs for step in steps}, reverse=True)
        size = f"{width * scale}×{height * scale}"
        channels = ", ".join(map(str, widths))
        rows.append(TableRow((size, channels, str(len(steps)), f"{gflop:.3f}")))
    return Table("Layers of the page", ("pixels", "channels", "layers", "GFLOP"), tuple(rows), 2)
