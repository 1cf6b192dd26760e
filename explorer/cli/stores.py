"""The commands that read and care for stores. Only typer is imported at the top."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from explorer.cli.guarding import guarded
from explorer.cli.options import AllowFactory, DataPlace, Json, RunName, StoreFile


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("runs")(runs)
    app.command("replay")(replay)
    app.command("verify")(verify)
    app.command("gc")(gc)


@guarded
def runs(store: StoreFile, json: Json = False) -> None:
    """The runs of a store; of those that differ in their seeds, what they agree on."""
    from explorer.cli.commands.runs import runs as run

    run(store, as_json=json)


@guarded
def replay(
    store: StoreFile,
    speed: Annotated[float, typer.Option(help="Moments a second, at a terminal", min=0.1)] = 4.0,
    at: Annotated[
        Optional[int],  # noqa: UP045 - typer reads it at run time
        typer.Option(metavar="EVENT", help="The tree as it stood after this event"),
    ] = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Step through a tree as it grew."""
    from explorer.cli.commands.replay import replay as replay_

    replay_(store, speed=speed, at=at, wanted=run, as_json=json)


@guarded
def verify(
    store: StoreFile,
    reexecute: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="NODE", help="Make this node again too, and compare its bits"),
    ] = None,
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Check every page, hash, lineage, decision and edit; only reads. Findings: exit code 1."""
    from explorer.cli.commands.verify import verify_store

    allowed = allow_factory or ()
    found = verify_store(
        store, reexecute=reexecute, data=data, allow_factory=allowed, wanted=run, as_json=json
    )
    raise typer.Exit(found)


@guarded
def gc(
    store: StoreFile,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go")] = False,
    json: Json = False,
) -> None:
    """Free the weights of dropped nodes; their rows and measurements stay."""
    from explorer.cli.commands.gc import gc as run

    run(store, yes=yes, dry_run=dry_run, as_json=json)
