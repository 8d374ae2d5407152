"""`mnelf preview`."""

from __future__ import annotations

from pathlib import Path

import click

from mobile_nelf.cli._options import (
    common_options,
    examples,
    force_option,
    path_type,
    run_scripts_option,
)
from mobile_nelf.cli._printing import print_json, print_note, progress_bar

__all__ = ["command"]

DEFAULT_FRAMES = 60
DEFAULT_SCREEN = "360x640"


@click.command(
    "preview",
    epilog=examples(
        "mnelf preview mic-lens",
        "mnelf preview mic-lens -o mic.mp4 --frames 150 --screen 390x844",
    ),
)
@click.argument("bundle", type=path_type)
@click.option(
    "-o",
    "--output",
    type=path_type,
    help="Output .gif or .mp4, or a folder for the frames. Default: <bundle>-preview.gif.",
)
@click.option("--frames", type=int, default=DEFAULT_FRAMES, show_default=True)
@click.option(
    "--screen",
    metavar="WxH",
    default=DEFAULT_SCREEN,
    show_default=True,
    help="Screen of the phone in pixels, for targets that run on a screen.",
)
@run_scripts_option
@force_option
@common_options
def command(
    bundle: Path,
    output: Path | None,
    frames: int,
    screen: str,
    run_scripts: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Render a preview video with the bundle's own model.

    A lens runs with its own scripts on the screen of a phone while a finger turns it, or a phone is
    carried round it; that takes Node.js, and --run-scripts if the bundle was not made on this
    machine. Other bundles and lenses show a turn.
    """
    from mobile_nelf.bundles.preview import preview_bundle

    path = output or Path(f"{bundle.resolve().name}-preview.gif")
    with progress_bar() as on_progress:
        preview = preview_bundle(
            bundle,
            path,
            frames=frames,
            screen=_size(screen),
            run_scripts=run_scripts,
            force=force,
            on_progress=on_progress,
        )
    if as_json:
        print_json(
            {
                "path": str(preview.path),
                "frames": preview.frames,
                "runtime": preview.runtime,
                "interactive": preview.interactive,
            }
        )
        return
    if preview.scripts_left_out:
        print_note(
            "a turn instead of the experience",
            "the bundle was not made on this machine; add --run-scripts to run its scripts",
        )
    what = "the experience" if preview.interactive else "a turn"
    click.echo(f"{preview.path}: {preview.frames} frames of {what}, rendered by {preview.runtime}")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(
            f"{text!r}, expected columns x rows such as {DEFAULT_SCREEN}", param_hint="--screen"
        )
    return int(width), int(height)
