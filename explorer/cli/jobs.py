"""The commands about work in the background. Only typer is imported at the top."""

from __future__ import annotations

import typer

from explorer.cli.group import guarded
from explorer.cli.options import AllowFactory, DataPlace, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("work", hidden=True)(work)


@guarded
def work(store: StoreFile, data: DataPlace = None, allow_factory: AllowFactory = None) -> None:
    """Go on with what was left to be done in STORE, until it is done; started by the others."""
    from explorer.cli.commands.work import work as run

    raise typer.Exit(run(store, data=data, allow_factory=tuple(allow_factory or ())))
