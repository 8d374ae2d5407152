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
    help="Output .gif or .mp4 of an orbit, .png of a still, or a folder for the frames. "
    "Default: <checkpoint>.gif, or .png for a still.",
)
@click.option("--frames", type=int, help="Frames of the orbit.  [default: 60]")
@click.option(
    "--azimuth",
    type=float,
    help="Camera azimuth for a still, in degrees. Default: middle of the orbit.",
)
@click.option(
    "--elevation",
    type=float,
    help="Camera elevation for a still, in degrees. Default: middle of the orbit.",
)
@click.option(
    "--radius",
    type=float,
    help="Camera distance for a still, in world units. Default: middle of the orbit.",
)
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
    """Render a still, an orbit as GIF or MP4, or a folder of frames.

    The camera stays where the student was trained. A turn lasts four seconds, whatever the number
    of frames.
    """
    from mobile_nelf.film import render
    from mobile_nelf.outputs import check_output

    placed = any(value is not None for value in (azimuth, elevation, radius))
    path = output or Path(f"{checkpoint.stem}.{'png' if placed else 'gif'}")
    check_output(path, force, [checkpoint])
    trained = load(checkpoint, camera, trained_activation)
    with progress_bar() as on_progress:
        done = render(
            trained,
            path,
            frames=frames,
            azimuth=azimuth,
            elevation=elevation,
            radius=radius,
            force=force,
            on_progress=on_progress,
        )
    if as_json:
        print_json(
            {"path": str(path), "frames": done.frames, "width": done.width, "height": done.height}
        )
    else:
        plural = "s" if done.frames > 1 else ""
        click.echo(f"{path}: {done.frames} frame{plural} of {done.width}×{done.height}")
