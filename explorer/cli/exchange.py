"""The commands that compare trees and carry them from file to file. Only typer is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import Json, RunName, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("compare")(compare)
    app.command("pack")(pack)
    app.command("merge")(merge)


@guarded
def compare(
    store: StoreFile,
    what: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer reads it at run time
        typer.Argument(metavar="NODE...|OTHER_STORE", help="Nodes, or another store (.db)"),
    ] = None,
    runs: Annotated[
        Optional[tuple[str, str]],  # noqa: UP045
        typer.Option(metavar="A B", help="Two runs of the store, by id or name"),
    ] = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Nodes side by side; or two runs: where they first decided differently, and why."""
    from explorer.cli.commands.compare import compare as compare_

    compare_(store, what or (), runs or (), run, as_json=json)


@guarded
def pack(
    store: StoreFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The new store (.db)")],
    nodes: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--nodes", metavar="NODE", help="Only this node and its way; repeat it"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the store OUT")] = False,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Copy a store to a new file, at any time; or only some nodes of a run."""
    from explorer.cli.commands.pack_merge import pack as pack_

    pack_(store, out, nodes or (), wanted=run, replace=force, as_json=json)


@guarded
def merge(
    into: Annotated[Path, typer.Argument(metavar="INTO", help="The store that takes")],
    source: Annotated[Path, typer.Argument(metavar="FROM", help="The store that gives")],
    json: Json = False,
) -> None:
    """Take over the runs of another store; exit code 1 where one was refused."""
    from explorer.cli.commands.pack_merge import merge as run

    raise typer.Exit(run(into, source, as_json=json))
