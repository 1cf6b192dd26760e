"""The command that serves a store to browsers. Only typer is imported at the top."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import AllowFactory, Json, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("serve")(serve)


@guarded
def serve(
    store: StoreFile,
    host: Annotated[str, typer.Option(help="The address to listen at")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at", min=1, max=65535)] = 8127,
    steer: Annotated[
        bool, typer.Option("--steer", help="Let one person decide; without it all only look")
    ] = False,
    token: Annotated[
        Optional[str],  # noqa: UP045 - typer reads it at run time
        typer.Option(help="What visitors must know  [default: a new one]", show_default=False),
    ] = None,
    public_url: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The address that browsers see, where a proxy stands in front"),
    ] = None,
    allow_factory: AllowFactory = None,
    json: Json = False,
) -> None:
    """Show a store in a browser, behind a token; for reading unless --steer."""
    from explorer.cli.commands.serve import serve as run

    run(
        store, host=host, port=port, steer=steer, token=token, public_url=public_url,
        allow_factory=allow_factory or (), as_json=json,
    )  # fmt: skip
