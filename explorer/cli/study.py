"""The command that compares ways to prune. Only typer is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json
from explorer.cli.request_options import takes_request

if TYPE_CHECKING:
    from explorer.session.open_run import Request

What = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="table3, criteria, similarity, recoveries, repairs, allocations, policies, a "
        "STUDY.toml (docs/studies.md), or oracle, which asks what stores tell already",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("study")(study)


@guarded
@takes_request(without=("new_run",), first=("what",))
def study(
    request: Request,
    what: What,
    more: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Argument(metavar="[STORE]...", help="Of oracle: more stores", show_default=False),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Grow every way with so many seeds, 0 and on", min=1, max=1000)
    ] = 5,
    report: Annotated[
        bool, typer.Option("--report", help="Only print what the store has; grow nothing")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Begin without asking, however long it takes")
    ] = False,
    json: Json = False,
) -> None:
    """Compare ways to prune MODEL over seeds, at equal epochs; goes on where it stopped.

    `study oracle STORE...` trains nothing: it tells from the nodes of stores how well each signal
    orders two candidates of the same parent by their accuracy afterwards.
    """
    if what == "oracle":
        from explorer.cli.commands.study_oracle import oracle

        oracle([request.model, *(more or ())], as_json=json)
        return
    from explorer.cli.commands.study import study as grow

    grow(what, request, more or (), range(seeds), report=report, yes=yes, as_json=json)
