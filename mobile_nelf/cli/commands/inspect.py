"""`mnelf inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mobile_nelf.cli._options import (
    camera_options,
    common_options,
    examples,
    force_option,
    lens_options,
    path_type,
)
from mobile_nelf.cli._printing import orbit_text, print_fields, print_json, print_note

if TYPE_CHECKING:
    from mobile_nelf.cameras import Intrinsics
    from mobile_nelf.summary import CheckpointSummary, SceneSummary

__all__ = ["command"]

#: Missing frames that are named; a copy of a scene may lack hundreds.
NAMES_SHOWN = 5

#: What the extents mean.
EXTENTS = {
    "bounded": "bounded: an object on a transparent ground",
    "unbounded": "unbounded: an object and all that is around it",
    "forward": "forward: seen from one side",
}


@click.command(
    "inspect",
    epilog=examples(
        "mnelf inspect mic.pt",
        "mnelf inspect examples/mic",
        "mnelf inspect photos/ --picture cameras.png",
    ),
)
@click.argument("path", type=path_type, metavar="CHECKPOINT_OR_SCENE")
@click.option("--picture", type=path_type, help="PNG file to draw the cameras of a scene into.")
@force_option
@lens_options
@common_options
def command(
    path: Path,
    picture: Path | None,
    force: bool,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Show what a checkpoint or a scene contains."""
    from mobile_nelf.summary import CheckpointSummary, inspect_path

    summary = inspect_path(
        path,
        camera=camera_options(camera),
        trained_activation=trained_activation,
        picture=picture,
        force=force,
    )
    is_checkpoint = isinstance(summary, CheckpointSummary)
    if as_json:
        from mobile_nelf.plain import to_dict

        kind = "checkpoint" if is_checkpoint else "scene"
        print_json({"path": str(path), "kind": kind, **to_dict(summary)})
    elif isinstance(summary, CheckpointSummary):
        _print_checkpoint(path, summary)
    else:
        _print_scene(path, summary)


def _print_checkpoint(path: Path, summary: CheckpointSummary) -> None:
    student = summary.student
    encoder = student.encoder
    widths = [*map(str, student.sr_widths), *(["colours"] if student.direct_output else [])]
    stages = ", ".join(widths) or "none"
    print_fields(
        {
            "checkpoint": str(path),
            "network": f"{summary.name} ({student.architecture}), width {student.width}, "
            f"{student.activation}, super-resolution {stages}",
            "head": "" if student.head_width is None else f"{student.head_width} channels",
            "learnt products": f"{student.products} a sample" if student.products else "",
            "inside blocks": " ".join(map(str, student.inner_widths)),
            "parameters": f"{summary.parameters:,}, {summary.zeros:.1%} of them zero",
            "rays": f"{student.ray_width}×{student.ray_height}, {encoder.samples} samples from "
            f"{encoder.near:.4g} to {encoder.far:.4g}, {encoder.frequencies} frequencies",
            "image": f"{_lens_text(summary.intrinsics)}, "
            f"{'RGB and alpha' if student.out_channels == 4 else 'RGB'}",
            "orbit": orbit_text(summary.orbit),
            "true size": _scale_text(summary.metres_per_unit),
            "background": ", ".join(f"{value:g}" for value in summary.background),
            "weights": f"sha256 {summary.weights_sha256}",
            "metrics": ", ".join(f"{k} {v:.4g}" for k, v in summary.metrics.items()) or "none",
            "provenance": ", ".join(f"{k} {v}" for k, v in summary.provenance.items()) or "none",
        }
    )


def _print_scene(path: Path, summary: SceneSummary) -> None:
    shown = ", ".join(summary.missing[:NAMES_SHOWN])
    more = len(summary.missing) - NAMES_SHOWN
    print_fields(
        {
            "scene": str(path),
            "views": f"{summary.train} to train on, {summary.test} to test with",
            "image": _lens_text(summary.intrinsics),
            "extent": EXTENTS[summary.extent],
            "box": " to ".join(_point_text(p) for p in (summary.box.lower, summary.box.upper)),
            "depths": f"{summary.near:.4g} to {summary.far:.4g}",
            "orbit": orbit_text(summary.orbit),
            "true size": _scale_text(summary.metres_per_unit),
            "missing": f"{shown} and {more} more" if more > 0 else shown,
        }
    )
    for notice in summary.notices:
        print_note("note", notice)
    for warning in summary.warnings:
        print_note("warning", warning)


def _scale_text(metres_per_unit: float | None) -> str:
    return "" if metres_per_unit is None else f"a unit is {100 * metres_per_unit:.4g} cm"


def _lens_text(lens: Intrinsics) -> str:
    return f"{lens.width}×{lens.height}, focal length {lens.fx:.4g} pixels"


def _point_text(point: tuple[float, float, float]) -> str:
    return "({})".format(", ".join(f"{value:.3g}" for value in point))
