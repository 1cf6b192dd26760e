"""The commands about work in the background. Only typer is imported at the top."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import AllowFactory, DataPlace, Json, RunName, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("jobs")(jobs)
    app.command("work", hidden=True)(work)


@guarded
def jobs(
    action: Annotated[
        str, typer.Argument(metavar="[list|stop|wait]", help="What to do", show_default=False)
    ] = "list",
    store: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it at run time
        typer.Argument(metavar="[STORE]", help="Which; left out, the one that there is"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="stop: all of them")] = False,
    json: Json = False,
) -> None:
    """What works in the background; `stop` ends it in good order, `wait` waits for its end."""
    from engine.contracts.options import check_name
    from explorer.cli.commands.jobs import jobs as run

    check_name("action", action, ("list", "stop", "wait"))
    raise typer.Exit(run(action, store, everything=everything, as_json=json))


@guarded
def work(
    store: StoreFile,
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
) -> None:
    """Go on with what was left to be done in STORE, until it is done; started by the others."""
    from explorer.cli.commands.work import work as go_on
    from explorer.tui.config import load_config

    allowed, notify = tuple(allow_factory or ()), load_config().notify_command
    raise typer.Exit(go_on(store, data=data, allow_factory=allowed, wanted=run, notify=notify))
