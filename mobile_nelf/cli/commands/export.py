"""`mnelf export`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobile_nelf.cli._options import choice, common_options, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json, progress_bar, size_text
from mobile_nelf.cli._training import device_option
from mobile_nelf.vocabulary import SurfaceKind

__all__ = ["command"]


@click.command(
    "export",
    epilog=examples(
        "mnelf export mic-teacher.pt --to mic.glb --size-cm 25    an occluder for AR",
        "mnelf export mic-teacher.pt --to points.ply --count 200000",
        "mnelf export mic-teacher.pt --to splat.spz",
    ),
)
@click.argument("teacher", type=path_type)
@click.option(
    "-o",
    "--output",
    "--to",
    type=path_type,
    required=True,
    help="File to write; its ending tells the format: .glb for a mesh, .ply for points or splats "
    "(by a word in its name, or --kind), .spz for splats.",
)
@click.option(
    "--kind",
    type=choice(SurfaceKind),
    help="What to write, where the name of the file does not tell.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    help="Number of triangles to simplify to, or of points or splats.  [default: 20000 triangles, "
    "100000 points, 40000 splats]",
)
@click.option(
    "--size-cm",
    type=float,
    help="Height of the object in centimetres; lengths are then in metres. Default: the true "
    "size if the scene has one, or else units of the scene's world.",
)
@device_option
@force_option
@common_options
def command(
    teacher: Path,
    output: Path,
    kind: Any,
    count: int | None,
    size_cm: float | None,
    device: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Export a teacher as a mesh, points or splats for other programs.

    A mesh (.glb) opens in every 3D program; in AR it is the occluder and shadow catcher that
    belongs to the light field. Splats (.ply, .spz) are placed on the surface in closed form and not
    trained: a preview, and what `mnelf compare` sets beside a student. Files are y up (splats in
    .ply y down, as usual), with the colours of the photos.
    """
    from mobile_nelf.surfaces.export import export_teacher

    with progress_bar() as on_progress:
        done = export_teacher(
            teacher,
            output,
            kind=kind,
            count=count,
            size_cm=size_cm,
            force=force,
            device=device,
            on_progress=on_progress,
        )
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json({**to_dict(done), "path": str(output)})
        return
    noun = {"mesh": "triangles", "points": "points", "splat": "splats"}[done.kind]
    unit = "metres" if done.in_metres else "units of the scene's world"
    print_fields(
        {
            done.kind: f"{output}, {done.count:,} {noun}, {size_text(done.bytes)}",
            "size": f"{' × '.join(f'{side:.3g}' for side in done.size)} {unit}, width × height × "
            "depth",
            "note": "placed in closed form, not trained" if done.kind == "splat" else "",
            "left out": f"{done.dropped} small parts" if done.dropped else "",
        }
    )
