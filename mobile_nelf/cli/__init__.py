"""The command line. A command is imported when it runs, so that `mnelf --help` needs no torch."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from mobile_nelf._version import __version__
from mobile_nelf.cli._options import debug_option, examples, option_text
from mobile_nelf.cli._printing import plain
from mobile_nelf.disk import io_reason
from mobile_nelf.errors import MnelfError

__all__ = ["COMMANDS", "cli", "main"]

#: Every command and its help in one line; the module of its name in `commands` holds it.
COMMANDS = {
    "bundle": "Export a checkpoint as a verified bundle.",
    "check": "Check whether a target supports a checkpoint, an ONNX file or a project.",
    "verify": "Verify a bundle again from its files.",
    "preview": "Render a preview video with the bundle's own model.",
    "capture": "Make a scene of photos or a video, and check it.",
    "train": "Train a teacher and a student from photos.",
    "teacher": "Train a teacher: a radiance field that renders views for students.",
    "distill": "Render the views of a teacher to disk, as images and cameras.",
    "export": "Export a teacher as a mesh, points or splats for other programs.",
    "student": "Train a student on the views of a teacher, or on photos only.",
    "compress": "Make a trained student smaller or faster.",
    "eval": "Evaluate a checkpoint, a teacher or splats on the test views of a scene.",
    "render": "Render a still, an orbit as GIF or MP4, or a folder of frames.",
    "view": "Show a checkpoint, a teacher, a bundle or a training in the browser.",
    "lens": "Open a lens in Lens Studio, and report what it made of it.",
    "bench": "Import device benchmark results into their bundle.",
    "compare": "Compare size, speed, memory and quality of bundles, checkpoints and splats.",
    "inspect": "Show what a checkpoint or a scene contains.",
    "doctor": "Show what this machine supports, and what to install for the rest.",
}


class App(click.Group):
    """The group of all commands, and the one place where errors become a line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the module of a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(
            f"mobile_nelf.cli.commands.{cmd_name}"
        ).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **settings: Any) -> Any:
        """Runs a command line and exits: 0 done, 1 a check failed, 2 wrong usage or input."""
        args = list(sys.argv[1:] if args is None else args)
        settings["standalone_mode"] = False
        try:
            # Commands return nothing; a number is what a command exited with.
            code = super().main(args, *rest, **settings) or 0
            # Now, and not at the very end, where Python would report a full disk by itself.
            sys.stdout.flush()
        except (click.exceptions.Abort, MnelfError, click.ClickException, OSError) as error:
            if "--debug" in args:
                traceback.print_exc()
            message, code = _explain(error)
            _drop_unwritten()
            click.echo(f"mnelf: {plain(message)}", err=True)
        sys.exit(code)


def _drop_unwritten() -> None:
    """Gives up output that a full disk or a closed pipe did not take."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> tuple[str, int]:
    """Returns the line and the exit code for an error."""
    if isinstance(error, click.exceptions.Abort):
        return "; ".join(filter(None, ("interrupted", str(error)))), 130
    if isinstance(error, MnelfError):
        options = ", ".join(map(option_text, error.arguments))
        return f"{error} ({options})" if options else str(error), error.exit_code
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{error.format_message().rstrip('.')}; see `{error.ctx.command_path} -h`", 2
    if isinstance(error, click.ClickException):
        return error.format_message(), 2
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'input or output'}: {io_reason(error)}", 2
    return str(error), 2


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@click.group(
    cls=App,
    epilog=examples(
        "mnelf train examples/mic -o mic.pt    a light field from photos",
        "mnelf bundle mic.pt --target lens     a Lens Studio project",
        "mnelf verify mic-lens                 verified again, on any machine",
    ),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mnelf", message="%(prog)s %(version)s")
@debug_option
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Put a neural light field on a phone, and prove off-device that it arrived."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """The entry point `mnelf`; the signal TERM interrupts a command as INT does."""
    # The processes of torchrun wait for each other where no signal reaches Python; they just end.
    if "WORLD_SIZE" not in os.environ:
        signal.signal(signal.SIGTERM, _interrupt)
    cli(prog_name="mnelf")
