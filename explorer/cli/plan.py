"""The command that tells what a tree would take. Only typer is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, RunName
from explorer.cli.request_options import takes_request

if TYPE_CHECKING:
    from explorer.session.open_run import Request


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("plan")(plan)


@guarded
@takes_request(without=("store", "new_run"))
def plan(request: Request, run: RunName = None, json: Json = False) -> None:
    """What a tree of MODEL would be grown with, and how long it takes here; stores nothing."""
    from explorer.cli.commands.plan import plan as plan_of

    plan_of(request, run=run, as_json=json)
