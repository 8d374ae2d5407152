"""`mnelf student`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobile_nelf.cli.eval import print_evaluation
from mobile_nelf.cli.options import common_options, examples, force_option, path_type
from mobile_nelf.cli.output import print_fields, print_json, progress_bar, size_text

if TYPE_CHECKING:
    from mobile_nelf.training.fit import FitProgress
    from mobile_nelf.training.student import TrainedStudent

__all__ = ["command"]

#: Spelt out because the presets import torch.
PRESETS = ("tiny", "small", "base")


@click.command(
    "student",
    epilog=examples("mnelf student examples/mic -o mic.pt --preset tiny"),
)
@click.argument("scene", type=path_type)
@click.option("-o", "--output", type=path_type, required=True, help="The checkpoint to write.")
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="small",
    show_default=True,
    help="Size of the network; base is D60-SR3 of the paper.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Training steps. Default: the preset's.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the run."
)
@click.option("--half", is_flag=True, help="Store the weights as float16, in half the space.")
@force_option
@common_options
def command(
    scene: Path,
    output: Path,
    preset: str,
    steps: int | None,
    seed: int,
    half: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Train a student directly on the photos of a scene.

    There is no teacher here, so the quality stays modest. After an interruption the same command
    goes on from the state beside the output.
    """
    from dataclasses import replace

    from mobile_nelf.scenes import read_scene
    from mobile_nelf.training.presets import find_preset
    from mobile_nelf.training.student import state_path, train_student

    chosen = find_preset(preset)
    photos = read_scene(scene)
    shape = chosen.student(photos)
    config = replace(chosen.fit, steps=steps or chosen.fit.steps, seed=seed)
    started = False

    def start(done: int) -> None:
        """Says once, when the run is under way, what it does and where it goes on."""
        nonlocal started
        if not started:
            resumed = f", resumed after step {done}" if done else ""
            click.echo(
                f"{preset} student {shape.name}, {config.steps} steps{resumed}; after an "
                f"interruption the same command goes on from {state_path(output)}",
                err=True,
            )
        started = True

    with progress_bar() as show:

        def on_fit(progress: FitProgress) -> None:
            start(progress.step - 1)
            show("train", progress.step, progress.steps, f"{progress.psnr_db:.1f} dB")

        def on_progress(stage: str, done: int, total: int) -> None:
            start(config.steps)
            show(stage, done, total)

        trained = train_student(
            photos,
            shape,
            config,
            output,
            half=half,
            force=force,
            on_fit=on_fit,
            on_progress=on_progress,
        )
    if as_json:
        from mobile_nelf.config import to_dict

        print_json(
            {
                "path": str(output),
                "student": to_dict(shape),
                "fit": to_dict(config),
                "evaluation": trained.evaluation and to_dict(trained.evaluation),
            }
        )
    else:
        _print(trained)


def _print(trained: TrainedStudent) -> None:
    print_fields(
        {
            "checkpoint": f"{trained.path}, {size_text(trained.path.stat().st_size)}",
            "next": f"mnelf bundle {trained.path} --target lens",
        }
    )
    click.echo()
    if trained.evaluation is None:
        click.echo("not measured: the scene has no test views")
    else:
        print_evaluation(trained.evaluation)
