"""The command that tells what a tree would take. Only typer is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, RunName
from explorer.cli.request_options import takes_request

if TYPE_CHECKING:
    from explorer.session.open_run import Request


Shares = Annotated[
    str,
    typer.Option(metavar="PERCENT,…", help="At most so many percent are left", show_default=False),
]


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("plan")(plan)


@guarded
@takes_request(without=("store", "new_run"))
def plan(
    request: Request,
    macs: Shares = "",
    params: Shares = "",
    latency: Shares = "",
    node: Annotated[str, typer.Option(help="The node that they are about")] = "R",
    branch: Annotated[bool, typer.Option("--branch", help="Grow a branch of each choice")] = False,
    run: RunName = None,
    json: Json = False,
) -> None:
    """What a tree of MODEL would be grown with, and how long it takes here; stores nothing.

    With --macs, --params or --latency: what goes of a store's node so that at most so many percent
    are left, such that the least importance is lost.
    """
    if macs or params or latency:
        from explorer.cli.commands.fit import fit
        from explorer.session.fitting import budgets_of

        budgets = budgets_of(
            _shares("--macs", macs), _shares("--params", params), _shares("--latency", latency)
        )
        fit(request, node, budgets, branch=branch, run=run, as_json=json)
        return
    if branch or node != "R":
        from engine.contracts.errors import UsageError

        raise UsageError("--node and --branch go with a budget: --macs, --params or --latency")
    from explorer.cli.commands.plan import plan as plan_of

    plan_of(request, run=run, as_json=json)


def _shares(option: str, text: str) -> tuple[float, ...]:
    from engine.contracts.errors import UsageError

    try:
        return tuple(float(each) for each in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{option} is {text!r}; give percent, commas between: 70,50") from None
