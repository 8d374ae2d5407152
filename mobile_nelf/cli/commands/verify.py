"""`mnelf verify`."""

from __future__ import annotations

from pathlib import Path

import click

from mobile_nelf.cli._options import (
    common_options,
    examples,
    option_text,
    path_type,
    run_scripts_option,
)
from mobile_nelf.cli._printing import (
    parity_table,
    print_fields,
    print_json,
    print_note,
    progress_bar,
)

__all__ = ["command"]


@click.command(
    "verify",
    epilog=examples("mnelf verify mic-lens", "mnelf verify from-a-friend --run-scripts"),
)
@click.argument("bundle", type=path_type)
@run_scripts_option
@common_options
@click.pass_context
def command(ctx: click.Context, bundle: Path, run_scripts: bool, as_json: bool) -> None:
    """Verify a bundle again from its files.

    Checks every hash, the contract and the operators, then runs the model on the reference poses
    and compares the frames. Models run in a process of their own with limits of time and memory.
    Scripts of a lens run if the bundle was made on this machine, or with --run-scripts. Exits with
    1 if anything does not hold.
    """
    from mobile_nelf.bundles import verify_bundle

    with progress_bar() as on_progress:
        result = verify_bundle(bundle, run_scripts=run_scripts, on_progress=on_progress)
    not_repeated = [
        f"{leg} ({option_text('run_scripts')})" if leg in result.scripts_left_out else leg
        for leg in result.not_repeated
    ]
    if as_json:
        from mobile_nelf.plain import to_dict

        print_json(
            {
                "path": str(result.path),
                "passed": result.passed,
                "target": result.manifest.target,
                "problems": list(result.problems),
                "legs": [to_dict(leg) for leg in result.legs],
                "not_repeated": not_repeated,
                "unlisted": list(result.unlisted),
                "remarks": list(result.remarks),
            }
        )
    else:
        print_fields(
            {
                "bundle": str(result.path),
                "target": result.manifest.target,
                "files": f"{len(result.manifest.files)} listed",
                "unlisted": ", ".join(result.unlisted),
            }
        )
        if result.legs:
            click.echo()
            parity_table(result.legs)
        click.echo()
        for leg in not_repeated:
            print_note("skipped here", leg)
        for remark in result.remarks:
            print_note("note", remark)
        for problem in result.problems:
            print_note("problem", problem)
        partly = " (some checks were skipped, see above)" if result.not_repeated else ""
        click.echo(f"passed{partly}" if result.passed else "failed")
    ctx.exit(0 if result.passed else 1)
