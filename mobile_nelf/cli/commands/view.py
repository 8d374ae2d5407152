"""`mnelf view`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click

from mobile_nelf.cli._options import (
    camera_options,
    choice,
    common_options,
    examples,
    lens_options,
    path_type,
)
from mobile_nelf.cli._printing import print_fields, print_json
from mobile_nelf.vocabulary import DeviceName

__all__ = ["command"]


@click.command(
    "view",
    epilog=examples(
        "mnelf view mic.pt",
        "mnelf view mic.pt --host 0.0.0.0",
        "mnelf view mic.pt --host 0.0.0.0 --https",
        "mnelf view teacher.pt --scene examples/mic",
        "mnelf view mic.pt.run --scene examples/mic",
        "mnelf view mic-web",
    ),
)
@click.argument("shown", type=path_type)
@click.option(
    "--scene", type=path_type, help="Scene whose cameras a teacher or a training is seen from."
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; 0.0.0.0 lets phones on the same network open the page.",
)
@click.option("--port", type=int, default=0, help="Port to listen at. Default: any free one.")
@click.option(
    "--https",
    is_flag=True,
    help="Serve with a certificate made here, of which browsers warn; phones then use WebGPU.",
)
@click.option("--open/--no-open", "opens", default=True, help="Open the browser.")
@click.option("--device", type=choice(DeviceName), default="auto", help="Where a teacher renders.")
@lens_options
@common_options
def command(
    shown: Path,
    scene: Path | None,
    host: str,
    port: int,
    https: bool,
    opens: bool,
    device: DeviceName,
    camera: tuple[float, ...] | None,
    trained_activation: Any,
    as_json: bool,
) -> None:
    """Show a checkpoint, a teacher, a bundle or a training in the browser.

    A student is computed in the page; a teacher is rendered here, picture by picture. Of a bundle
    its page is shown, or its report where the target has none. A training of another process is
    named by its folder, MODEL.pt.run; what it saved last is shown, and its PSNR. Ctrl-C ends it.
    """
    from mobile_nelf.viewing import Server, shown_path
    from mobile_nelf.viewing.qr import qr_text

    found = shown_path(
        shown,
        scene=scene,
        camera=camera_options(camera),
        trained_activation=trained_activation,
        device=device,
    )
    with Server(found, host, port, https=https) as server:
        if as_json:
            print_json(
                {
                    "url": server.url,
                    "lan_url": server.lan_url or None,
                    "fingerprint": server.fingerprint or None,
                }
            )
        else:
            fields = {"open": server.url}
            if server.lan_url:
                fields["on a phone"] = server.lan_url
                if not https:
                    fields["on a phone"] += " (WebGL2; WebGPU takes --https)"
            if server.fingerprint:
                fields["certificate"] = f"made here; SHA-256 {server.fingerprint}"
                fields["browser"] = "warns of it once: choose to continue"
            print_fields({**fields, "end": "Ctrl-C"})
            if server.lan_url:
                click.echo(f"\n{qr_text(server.lan_url)}")
        if opens:
            webbrowser.open(server.url)
        try:
            server.serve()
        except KeyboardInterrupt:
            click.echo()
