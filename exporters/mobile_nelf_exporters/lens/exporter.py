"""Target `lens`: a Lens Studio project whose models fit SnapML."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from mobile_nelf.assets import asset_dir
from mobile_nelf.checkpoints.checkpoint import Checkpoint
from mobile_nelf.deploy.contract import Contract, default_activation, shown_ball_radius
from mobile_nelf.deploy.form import DeployForm
from mobile_nelf.deploy.layouts import LAYOUTS, Layout, find_layout
from mobile_nelf.errors import InputError
from mobile_nelf.export.exporter import Exported, Exporter
from mobile_nelf.export.inspection import Inspection, ProjectCheck
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.export.tool import ToolReport
from mobile_nelf.students import StudentConfig
from mobile_nelf.vocabulary import ActivationForm, Experience
from mobile_nelf_exporters.lens.confirmed import read_report
from mobile_nelf_exporters.lens.icon import ICON_PATH, lens_icon
from mobile_nelf_exporters.lens.lint.check import check_lens_folder, refuse_old_project
from mobile_nelf_exporters.lens.lint.models import TEXTURE_WHITE
from mobile_nelf_exporters.lens.opened import is_studio_file, studio_edits
from mobile_nelf_exporters.lens.opening import OPENING_SCRIPT, opened_project
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.paths import (
    PROJECT,
    assets_folder,
    model_path,
    small_model_path,
)
from mobile_nelf_exporters.lens.player.node import node_path
from mobile_nelf_exporters.lens.project import render_lens_project, render_lens_readme
from mobile_nelf_exporters.lens.runtimes import (
    LENS_RUNTIME,
    SMALL_REFERENCE,
    lens_runtimes,
    model_bytes,
)
from mobile_nelf_exporters.lens.studio.project import PROJECT_SUFFIX
from mobile_nelf_exporters.lens.versions import DEFAULT_STUDIO
from mobile_nelf_exporters.lens.view import room_size, smaller_checkpoint
from mobile_nelf_exporters.names import LENS_NAME_RULE, check_name, is_lens_name, lens_name_of
from mobile_nelf_exporters.onnx.build import build_onnx
from mobile_nelf_exporters.onnx.lowering import lower_to_onnx
from mobile_nelf_exporters.onnx.runtime import parse_model, read_contract
from mobile_nelf_exporters.snapml.check import (
    SNAPML_BUDGET_BYTES,
    SnapmlReport,
    check_snapml,
)
from mobile_nelf_exporters.snapml.inspection import inspect_onnx, inspection_of, model_record
from mobile_nelf_exporters.snapml.schema import BACKEND_TITLES, BACKENDS
from mobile_nelf_exporters.templates import template_environment

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["LensStudioExporter"]

NOT_MEASURED = (
    "FPS, latency and memory on a phone",
    "that Lens Studio opens the project and imports the model",
    "the orientation of the output texture on the screen",
)


class LensStudioExporter(Exporter[Options]):
    """Exports a Lens Studio project."""

    target: ClassVar[str] = "lens"
    options = Options

    def export(self, checkpoint: Checkpoint, name: str, options: Options) -> Exported:
        """See `Exporter.export`.

        Raises:
            InputError: `name` is not a name for a lens, or the options contradict each other.
        """
        check_name(name, "lens project")
        lens_name = _lens_name(name, options)
        form = options.form or "project"
        if form == "package" and options.experience == "orbit":
            raise InputError(
                "experience orbit fills the screen and is a project of its own; an object of form "
                "package stands in the lens that it is put into, where fingers can turn it",
                arguments=["experience"],
            )
        experience = options.experience or ("world" if form == "package" else "orbit")
        if options.layout is None:
            layout, reason = _choose_layout(checkpoint.student)
        else:
            layout, reason = find_layout(options.layout), "asked for"
        activation = options.activation or default_activation(checkpoint, "gelusnap")
        ball_radius = shown_ball_radius(checkpoint)
        # A guest in somebody's lens has no camera of its own, so that it needs a material.
        shown = (layout, activation, experience, ball_radius, form == "project")
        models = [_build(checkpoint, *shown)]
        small = _build(smaller_checkpoint(checkpoint), *shown)
        sizes = [check_snapml(model).import_bytes for model, _ in (models[0], small)]
        if sum(sizes) <= SNAPML_BUDGET_BYTES:
            models.append(small)
        contract = models[0][1]
        contents = [
            (contract, model.SerializeToString(deterministic=True)) for model, contract in models
        ]
        room = room_size(checkpoint, contract, experience, options.size_cm)
        studio = options.lens_studio or DEFAULT_STUDIO
        given = (name, experience, lens_name, room, studio, form)
        files = {
            **render_lens_project(contents, *given),
            "README.md": render_lens_readme(contents, *given),
            ICON_PATH: lens_icon(checkpoint),
            OPENING_SCRIPT: (asset_dir(PROJECT) / "studio" / OPENING_SCRIPT).read_bytes(),
        }
        references = {SMALL_REFERENCE: small[1]} if small in models else {}
        not_measured: tuple[str, ...] = NOT_MEASURED
        if node_path() is None:
            not_measured += (f"{LENS_RUNTIME}, which is not installed here",)
        return Exported(contract, files, reason, not_measured, references)

    def next_step(self, bundle: Path, name: str) -> str:
        """See `Exporter.next_step`."""
        package = bundle / assets_folder(name, "package")
        if package.is_dir():
            return f"copy {package} into the folder Assets of your lens"
        return f"open {bundle / PROJECT / name}{PROJECT_SUFFIX} in Lens Studio"

    def advice(self) -> tuple[str, str]:
        """See `Exporter.advice`; the paragraph is the README's."""
        template = template_environment().get_template("lens_parts/splat.md.j2")
        return "Or a Gaussian splat?", " ".join(template.render().replace("`", "").split())

    def inspect(self, files: dict[str, bytes]) -> Inspection:
        """See `Exporter.inspect`; the layers are those of the first model.

        The other one differs in sizes alone, and shares the budget.
        """
        model_bytes(files)
        first = model_path(files)
        contents = {path: files[path] for path in (first, small_model_path(files)) if path in files}
        reports = {path: _report(content, path) for path, content in contents.items()}
        together = sum(report.import_bytes for report in reports.values())
        return inspection_of(
            replace(reports[first], import_bytes=together),
            {path: model_record(report, contents[path]) for path, report in reports.items()},
            first,
        )

    def check_onnx(self, model: ModelProto, path: Path) -> Inspection:
        """See `Exporter.check_onnx`."""
        return inspect_onnx(model, path)

    def find_project(self, path: Path) -> Path | None:
        """See `Exporter.find_project`; the project file stands for its folder."""
        if path.suffix == PROJECT_SUFFIX and path.is_file():
            return path.parent
        refuse_old_project(path)
        return super().find_project(path)

    def tool_edits(
        self,
        files: Mapping[str, bytes],
        changed: Collection[str],
        is_original: Callable[[str, bytes], bool],
    ) -> dict[str, str]:
        """See `Exporter.tool_edits`; the tool is Lens Studio."""
        return studio_edits(files, changed, is_original)

    def is_tool_file(self, path: str) -> bool:
        """See `Exporter.is_tool_file`."""
        return is_studio_file(path)

    def open_in_tool(
        self, files: Mapping[str, bytes], name: str, folder: Path, program: Path | None
    ) -> dict[str, Any]:
        """See `Exporter.open_in_tool`; the tool is Lens Studio."""
        return opened_project(files, name, folder, program)

    def read_tool_report(self, told: dict[str, Any], files: Mapping[str, bytes]) -> ToolReport:
        """See `Exporter.read_tool_report`."""
        return read_report(told, files)

    def check_project(self, folder: Path) -> ProjectCheck:
        """See `Exporter.check_project`."""
        return check_lens_folder(folder)

    def runtimes(self, files: dict[str, bytes], contract: Contract) -> tuple[Runtime, ...]:
        """See `Exporter.runtimes`.

        Lens Studio stores conv weights as fp16 on import, which the last runtime emulates.
        """
        return lens_runtimes(files, contract)


def _lens_name(name: str, options: Options) -> str:
    if options.lens_name is None:
        return lens_name_of(name)
    if not is_lens_name(options.lens_name):
        raise InputError(
            f"lens name {options.lens_name!r}: expected {LENS_NAME_RULE}, as Snap takes it",
            arguments=["lens_name"],
        )
    return options.lens_name


def _build(
    checkpoint: Checkpoint,
    layout: Layout,
    form: ActivationForm,
    experience: Experience,
    ball_radius: float,
    has_camera: bool,
) -> tuple[ModelProto, Contract]:
    """Builds the model of a lens on the grid of rays of `checkpoint`."""
    world = experience == "world"
    return build_onnx(
        checkpoint,
        layout,
        form,
        expand=True,
        # What lies beyond a picture on the screen is its border again.
        bordered=not world,
        cut_out=world,
        ball_radius=ball_radius,
        white=TEXTURE_WHITE,
        masked=world and has_camera,
    )


def _report(content: bytes, path: str) -> SnapmlReport:
    """Checks a model of ours; before white was 255 in it, the import had to scale it."""
    model = parse_model(content, path)
    return check_snapml(model, output_scaled=read_contract(model, path).white != TEXTURE_WHITE)


def _choose_layout(student: StudentConfig) -> tuple[Layout, str]:
    """Returns the layout that runs on most back-ends and then uploads least, and why."""
    candidates = []
    for layout in LAYOUTS:
        lacking = _check_encoder(student, layout).lacking
        missing = [BACKEND_TITLES[backend] for backend in BACKENDS if lacking[backend]]
        upload = sum(spec.bytes for spec in layout.inputs(student))
        candidates.append((len(missing), upload, layout, missing))
    missed, upload, chosen, _ = min(candidates, key=lambda candidate: candidate[:2])
    reasons = [
        f"its encoder runs on {len(BACKENDS) - missed} of {len(BACKENDS)} back-ends and uploads "
        f"{upload / 1e6:.2f} MB a frame"
    ]
    reasons += [
        f"{layout.name} "
        + (f"does not run on {', '.join(missing)}" if missing else f"uploads {size / 1e6:.2f} MB")
        for _, size, layout, missing in candidates
        if layout is not chosen
    ]
    return chosen, "; ".join(reasons)


def _check_encoder(student: StudentConfig, layout: Layout) -> SnapmlReport:
    """Checks the encoder alone, since the network after it is the same for every layout."""
    encoder = DeployForm(layout.encoder(student, expand=True), nn.Identity()).eval()
    return check_snapml(
        lower_to_onnx(encoder, layout.inputs(student), ["encoded"], "relu"), output_scaled=False
    )
