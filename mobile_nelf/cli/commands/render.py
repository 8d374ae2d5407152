"""`mnelf render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mobile_nelf.cli._options import (
    common_options,
    examples,
    force_option,
    lens_options,
    load,
    path_type,
)
from mobile_nelf.cli._printing import print_json, progress_bar

__all__ = ["command"]

DEFAULT_FRAMES = 60


@click.command(
    "render",
    epilog=examples(
        "mnelf render mic.pt -o mic.mp4 --frames 120",
        "mnelf render mic.pt -o mic.png --azimuth 30 --elevation 20",
    ),
)
@click.argument("checkpoint", type=path_type)
@click.option(
    "-o",
    "--output",
    type=path_type,
    help="A .gif or .mp4 of a turn, a .png still, or a folder for the frames of a turn. "
    "Default: <checkpoint>.gif, or .png for a still.",
)
@click.option("--frames", type=int, help=f"Frames of the turn.  [default: {DEFAULT_FRAMES}]")
@click.option("--azimuth", type=float, help="Of a still, in degrees. Default: the middle.")
@click.option("--elevation", type=float, help="Of a still, in degrees. Default: the middle.")
@click.option("--radius", type=float, help="Of a still, in world units. Default: the middle.")
@lens_options
@force_option
@common_options
def command(
    checkpoint: Path,
    output: Path | None,
    frames: int | None,
    azimuth: float | None,
    elevation: float | None,
    radius: float | None,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    force: bool,
    as_json: bool,
) -> None:
    """Render a still, a turn as GIF or MP4, or a folder of frames.

    The camera stays where the student was trained. A turn lasts four seconds, whatever the number
    of frames.
    """
    from mobile_nelf.film import OrbitPosition, render_still, render_turn

    placed = any(value is not None for value in (azimuth, elevation, radius))
    still = placed or (output is not None and output.suffix.lower() == ".png")
    if still and frames is not None:
        raise click.UsageError(
            "--frames is for a turn, and this is a still", click.get_current_context()
        )
    path = output or Path(f"{checkpoint.stem}.{'png' if still else 'gif'}")
    trained = load(checkpoint, camera, trained_activation)
    count = 1 if still else DEFAULT_FRAMES if frames is None else frames
    if still:
        render_still(trained, path, OrbitPosition(azimuth, elevation, radius), force=force)
    else:
        with progress_bar() as on_progress:
            render_turn(trained, path, count, force=force, on_progress=on_progress)
    size = (trained.student.image_width, trained.student.image_height)
    if as_json:
        print_json({"path": str(path), "frames": count, "width": size[0], "height": size[1]})
    else:
        click.echo(f"{path}: {count} frame{'s' * (count > 1)} of {size[0]}×{size[1]}")
