"""`mnelf doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mobile_nelf.cli._options import common_options
from mobile_nelf.cli._printing import print_fields, print_json, print_note, print_table

if TYPE_CHECKING:
    from mobile_nelf.doctor import Diagnosis

__all__ = ["command"]


@click.command("doctor")
@common_options
def command(as_json: bool) -> None:
    """Show what this machine supports, and what to install for the rest."""
    from mobile_nelf.doctor import EXTRAS, diagnose

    diagnosis = diagnose()
    if as_json:
        from mobile_nelf.plain import to_dict

        extras = {extra.name: diagnosis.complete(extra.name) for extra in EXTRAS}
        print_json({**to_dict(diagnosis), "extras": extras})
    else:
        _print(diagnosis)


def _print(diagnosis: Diagnosis) -> None:
    from mobile_nelf.doctor import EXTRAS

    print_fields(
        {
            "mnelf": diagnosis.mnelf,
            "Python": f"{diagnosis.python}, {diagnosis.system}",
            "PyTorch": f"{diagnosis.torch}, {diagnosis.threads} threads",
            "CUDA": ", ".join(diagnosis.cuda)
            or "none; everything runs without it, training slower",
        }
    )
    click.echo()
    print_table(
        ("package", "extra", "state", "version"),
        [(p.name, p.extra, p.state, p.version or "-") for p in diagnosis.packages],
    )
    for package in diagnosis.packages:
        if package.detail:
            print_note(f"{package.name} cannot be imported", package.detail)
    click.echo()
    print_table(
        ("extra", "complete", "needed for"),
        [
            (extra.name, "yes" if diagnosis.complete(extra.name) else "no", extra.needed_for)
            for extra in EXTRAS
        ],
    )
    click.echo()
    print_fields(
        {
            **{
                f"for {extra.name}": f'pip install "mobile-nelf[{extra.name}]"'
                for extra in EXTRAS
                if not diagnosis.complete(extra.name)
            },
            **{
                tool.name: f"{tool.version or 'not found'}; {tool.note}" for tool in diagnosis.tools
            },
            "no extras needed": "inspect, render to GIF and PNG, distill, train without test views",
        }
    )
