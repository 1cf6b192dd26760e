"""The commands that steer a tree: what the app's keys do. Only typer is imported at the top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from engine.contracts.methods import CRITERIA
from explorer.cli.guarding import guarded
from explorer.cli.options import (
    Allocation,
    AllowFactory,
    Block,
    DataPlace,
    Filters,
    Json,
    NodeName,
    RunName,
    StopAtCloseCalls,
    StoreFile,
)
from explorer.cli.settings_options import Given, takes_settings

# A fork keeps the images of the run that it begins at.
OF_IMAGES = ("data", "train_limit", "image_size", "resize", "loader", "transforms",
             "validation_from")  # fmt: skip

if TYPE_CHECKING:
    from engine.contracts.requests import CandidateRequest
    from explorer.cli.commands.steer import Here


def add_commands(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command("branch")(branch)
    app.command("candidate")(candidate)
    app.command("decide")(decide)
    app.command("alone")(alone)
    app.command("undo")(undo)
    app.command("redo")(redo)
    app.command("tag")(tag)
    app.command("note")(note)
    app.command("drop")(drop)


def _here(
    data: str | None = None, allow_factory: list[str] | None = None, run: str | None = None
) -> Here:
    from explorer.cli.commands.steer import Here

    return Here(data, tuple(allow_factory or ()), run)


def _request(
    block: str | None, filters: int | None, allocation: str | None, criterion: str | None = None
) -> CandidateRequest | None:
    from engine.contracts.errors import UsageError
    from engine.contracts.requests import CandidateRequest, RemoveBlocks, RemoveUnits

    if block is not None and filters is not None:
        raise UsageError("--block and --filters name different candidates; give one of them")
    if block is not None:
        return CandidateRequest(RemoveBlocks((block,)), criterion)
    if filters is not None or allocation is not None:
        return CandidateRequest(RemoveUnits(filters, allocation), criterion)
    return None


@guarded
@takes_settings(leave_out=OF_IMAGES, of="of a fork")
def branch(
    store: StoreFile,
    node: NodeName,
    settings: Given,
    take: Annotated[str, typer.Option(help="layer, filter or both")] = "both",
    block: Block = None,
    filters: Filters = None,
    allocation: Allocation = None,
    iterations: Annotated[
        int, typer.Option("--iterations", "-n", help="Decisions below it, this one included", min=1)
    ] = 1,
    fork: Annotated[
        bool, typer.Option("--fork", help="Start another run there, with the settings given")
    ] = False,
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Grow on from any earlier node, beside what is kept there; or fork the run there."""
    from engine.contracts.errors import UsageError
    from engine.contracts.options import check_name, flag
    from engine.contracts.requests import BranchRequest, Take
    from explorer.cli.commands.steer import branch as branch_
    from explorer.cli.commands.steer import fork as fork_

    if fork:
        given = settings if allocation is None else {**settings, "allocation": allocation}
        fork_(store, node, given, iterations, here=_here(data, allow_factory, run), as_json=json)
        return
    if settings:
        fixed = flag(next(iter(settings)))
        raise UsageError(f"{fixed} is fixed for a run that exists; with --fork another one begins")
    check_name("take", take, ("layer", "filter", "both"))
    asked = _request(block, filters, allocation) or cast(Take, take)
    branch_(
        store,
        node,
        BranchRequest(asked, iterations),
        here=_here(data, allow_factory, run),
        as_json=json,
    )


@guarded
def candidate(
    store: StoreFile,
    parent: NodeName,
    block: Block = None,
    filters: Filters = None,
    allocation: Allocation = None,
    criterion: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help=f"Score anew by this one: {', '.join(CRITERIA)}"),
    ] = None,
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Make one further candidate of a node, as you want it."""
    from engine.contracts.errors import UsageError
    from explorer.cli.commands.steer import candidate as candidate_

    request = _request(block, filters, allocation, criterion)
    if request is None:
        raise UsageError("say what goes instead: --block PATH, or --filters N")
    candidate_(store, parent, request, here=_here(data, allow_factory, run), as_json=json)


@guarded
def decide(
    store: StoreFile,
    parent: Annotated[str, typer.Argument(metavar="PARENT", help="The node whose candidates")],
    keep: Annotated[
        list[str], typer.Argument(metavar="KEEP...", help="suggested, other, both, or names")
    ],
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Decide which candidates of a node are kept; `auto STORE` grows on from there."""
    from explorer.cli.commands.steer import decide as decide_

    decide_(store, parent, keep, here=_here(data, allow_factory, run), as_json=json)


@guarded
def alone(
    store: StoreFile,
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="From this node on", show_default=True)
    ] = "R",
    decisions: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--decisions", "-n", help="So many decisions at most", min=1),
    ] = None,
    until: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TIME", help="Decide until then: 06:00, '8 h' or '90 min'"),
    ] = None,
    target_macs: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Until so many percent of the root's MACs are gone", min=0, max=100),
    ] = None,
    max_drop: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Until more points of accuracy are lost", min=0, max=100),
    ] = None,
    stop_at_close_calls: StopAtCloseCalls = False,
    everywhere: Annotated[
        bool, typer.Option("--everywhere", help="In every open branch, not below NODE only")
    ] = False,
    data: DataPlace = None,
    allow_factory: AllowFactory = None,
    run: RunName = None,
    json: Json = False,
) -> None:
    """Let the policy decide alone in a tree that there is: from a node on, or everywhere."""
    import time

    from engine.contracts.errors import UsageError
    from explorer.cli.commands.steer import alone as alone_
    from explorer.session.budget import Budget, moment_in

    moment = moment_in(until or "", time.time())
    budget = Budget(decisions, moment, target_macs, max_drop, stop_at_close_calls)
    if not budget.is_bounded:
        raise UsageError("say at least one limit, such as --decisions 3 or --until 06:00")
    here = _here(data, allow_factory, run)
    alone_(store, node, budget, everywhere=everywhere, here=here, as_json=json)


@guarded
def undo(store: StoreFile, run: RunName = None, json: Json = False) -> None:
    """Take back the newest decision; finished weights stay."""
    from explorer.cli.commands.steer import undo as undo_

    undo_(store, redo=False, here=_here(run=run), as_json=json)


@guarded
def redo(store: StoreFile, run: RunName = None, json: Json = False) -> None:
    """Make the decision again that was undone last."""
    from explorer.cli.commands.steer import undo as undo_

    undo_(store, redo=True, here=_here(run=run), as_json=json)


@guarded
def tag(
    store: StoreFile,
    node: NodeName,
    text: Annotated[str, typer.Argument(metavar="TAG", help="A word or a few")],
    off: Annotated[bool, typer.Option("--off", help="Take it away")] = False,
    run: RunName = None,
) -> None:
    """Give a node a tag."""
    from explorer.cli.commands.steer import annotate

    annotate(
        store, node, lambda steering, found: steering.tag(found, text, not off), here=_here(run=run)
    )


@guarded
def note(
    store: StoreFile,
    node: NodeName,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="'' removes the note")],
    run: RunName = None,
) -> None:
    """Write a note on a node."""
    from explorer.cli.commands.steer import annotate

    annotate(store, node, lambda steering, found: steering.note(found, text), here=_here(run=run))


@guarded
def drop(
    store: StoreFile,
    node: NodeName,
    off: Annotated[bool, typer.Option("--off", help="Bring it back")] = False,
    run: RunName = None,
) -> None:
    """Mark a node and what is below it as dropped; `gc` frees their weights."""
    from explorer.cli.commands.steer import annotate

    annotate(
        store, node, lambda steering, found: steering.drop(found, not off), here=_here(run=run)
    )
