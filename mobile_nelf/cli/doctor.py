"""`mnelf doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mobile_nelf.cli.options import common_options
from mobile_nelf.cli.output import plain, print_fields, print_json, print_table

if TYPE_CHECKING:
    from mobile_nelf.doctor import Diagnosis

__all__ = ["command"]


@click.command("doctor")
@common_options
def command(as_json: bool) -> None:
    """Show what this machine can do, and what to install for the rest."""
    from mobile_nelf.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        from mobile_nelf.config import to_dict

        print_json(to_dict(diagnosis))
    else:
        _print(diagnosis)


def _print(diagnosis: Diagnosis) -> None:
    from mobile_nelf.doctor import EXTRAS

    print_fields(
        {
            "mnelf": diagnosis.mnelf,
            "Python": f"{diagnosis.python}, {diagnosis.system}",
            "PyTorch": f"{diagnosis.torch}, {diagnosis.threads} threads",
            "CUDA": ", ".join(diagnosis.cuda) or "none; everything in this version runs without",
        }
    )
    click.echo()
    print_table(
        ("package", "extra", "state", "version"),
        [(p.name, p.extra, p.state, p.version or "-") for p in diagnosis.packages],
    )
    for package in diagnosis.packages:
        if package.detail:
            click.echo(f"{package.name} cannot be imported: {plain(package.detail)}")
    click.echo()
    for extra in EXTRAS:
        complete = diagnosis.complete(extra.name)
        click.echo(
            f"{extra.name}: {'ok' if complete else 'incomplete'}, needed for {extra.needed_for}"
        )
        if not complete:
            click.echo(f'  pip install "mobile-nelf[{extra.name}]"')
    for tool in diagnosis.tools:
        click.echo(f"{tool.name}: {tool.version or 'not found'}, {tool.note}")
    click.echo("mnelf render to GIF or PNG, inspect, and student without test views always work")
