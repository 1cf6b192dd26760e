"""The commands that show networks of a tree. Only typer is imported at the top."""

from __future__ import annotations

from typing import Annotated

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, NodeName, RunName, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("diagram")(diagram)
    app.command("diff")(diff)


@guarded
def diagram(
    store: StoreFile,
    node: NodeName,
    ranking: Annotated[
        bool,
        typer.Option(
            "--ranking", help="The rankings of blocks and units along the way from the root"
        ),
    ] = False,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Draw a node's network: blocks and widths as bars, and what went as a ghost."""
    from explorer.cli.commands.network import diagram as draw
    from explorer.cli.commands.network import ranking as draw_ranking

    (draw_ranking if ranking else draw)(store, node, wanted=run, as_json=json)


@guarded
def diff(
    store: StoreFile,
    a: Annotated[str, typer.Argument(metavar="A", help="A node, such as R.L.F")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one, of any branch")],
    run: RunName = None,
    json: Json = False,
) -> None:
    """How the networks of two nodes differ: blocks and units that only one of them has."""
    from explorer.cli.commands.network import diff as run_diff

    run_diff(store, a, b, wanted=run, as_json=json)
