"""`mnelf lens`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mobile_nelf.cli._options import common_options, debug_option, examples, force_option, path_type
from mobile_nelf.cli._printing import print_fields, print_json, print_note, print_report_table
from mobile_nelf.text import command_line

if TYPE_CHECKING:
    from mobile_nelf.export.tool import ToolReport

__all__ = ["command", "print_tool_report", "tool_report_data"]


@click.group(
    "lens",
    epilog=examples(
        "mnelf lens open mic-lens",
        "mnelf lens open mic-lens --json             the same for machines",
    ),
    invoke_without_command=True,
)
@debug_option
@click.pass_context
def command(ctx: click.Context) -> None:
    """Open a lens in Lens Studio, and report what it made of it.

    Everything else about a lens is done by the commands for all targets: bundle, check, verify,
    preview.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command(
    "open",
    epilog=examples(
        "mnelf lens open mic-lens",
        'mnelf lens open mic-lens --lens-studio "/Applications/Lens Studio.app"',
        "mnelf bench import mic-lens-opened/opened.json mic-lens",
    ),
)
@click.argument("bundle", type=path_type)
@click.option(
    "-o",
    "--output",
    type=path_type,
    help="Folder for the opened project. Default: BUNDLE-opened, beside the bundle.",
)
@click.option(
    "--lens-studio",
    type=path_type,
    metavar="PATH",
    help="Path of Lens Studio. Default: where it is usually installed on macOS and Windows.",
)
@force_option
@common_options
@click.pass_context
def open_command(
    ctx: click.Context,
    bundle: Path,
    output: Path | None,
    lens_studio: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Open a copy of a bundle's project in Lens Studio, complete it and save it.

    Lens Studio imports the models, makes the material that a surface needs, and is set to the
    camera of the lens; the opened project is ready to look at. Its report says what became of the
    guesses in README.md of the bundle, and `mnelf bench import` keeps it in the bundle. Exits with
    1 if something went wrong or a guess is refuted. Its authors have no Lens Studio: it is tested
    against a stand-in.
    """
    from mobile_nelf.bundles.opened import open_bundle

    opened = open_bundle(bundle, output, program=lens_studio, force=force)
    if as_json:
        print_json(
            {
                "path": str(opened.folder),
                "bundle": str(opened.bundle),
                "report": str(opened.path),
                **tool_report_data(opened.report),
            }
        )
    else:
        print_fields(
            {
                "bundle": str(opened.bundle),
                "project": str(opened.folder),
                "opened": f"with {opened.report.tool}",
            }
        )
        print_tool_report(opened.report)
        click.echo()
        print_fields({"next": command_line("bench import {} {}", opened.path, opened.bundle)})
    ctx.exit(0 if opened.report.passed else 1)


def tool_report_data(report: ToolReport) -> dict[str, object]:
    """A report for machines."""
    from mobile_nelf.plain import to_dict

    return {"passed": report.passed, **to_dict(report)}


def print_tool_report(report: ToolReport) -> None:
    """Prints a report: what the tool has, what became of guesses, what went wrong."""
    for table in (*report.tables, report.verdicts):
        click.echo()
        print_report_table(table)
    click.echo()
    for problem in report.problems:
        print_note("problem", problem)
    print_note("note", report.summary)
