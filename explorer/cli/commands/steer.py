"""The app's keys as commands: decide, branch, candidate, undo, redo, tag, note, drop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contracts.errors import UsageError
from engine.contracts.options import SettingValue
from engine.contracts.requests import BranchRequest, CandidateRequest
from explorer.cli.commands.auto import summary_of
from explorer.cli.console import print_tree
from explorer.cli.json_types import TreeSummary, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order, session_of
from explorer.session.budget import Budget
from explorer.session.errors import NotNowError, WorkFailedError
from explorer.session.events import RunBegun, SessionEvent, WorkFailed
from explorer.session.named_files import store_path
from explorer.session.open_run import Request
from explorer.session.outcome import Outcome
from explorer.session.search import grow_tree
from explorer.session.session import Session
from explorer.session.steering import Steering
from store import Node

Play = Callable[[Steering], Any]


@dataclass(frozen=True)
class Here:
    """What a store does not know: where the run's images lie on this machine, which factories may
    be called, and which run is meant."""

    data: str | None = None
    allow_factory: Sequence[str] = ()
    run: str | None = None


NOTHING_SAID = Here()


def decide(store: Path, parent: str, keep: Sequence[str], *, here: Here, as_json: bool) -> None:
    """Keeps candidates of a parent: those named, `suggested`, `other` or `both`."""

    def play(steering: Steering) -> None:
        node = steering.session.node(parent)
        words: dict[str, Callable[[Node], Any]] = {
            "suggested": steering.approve, "other": steering.override, "both": steering.keep_both,
        }  # fmt: skip
        if len(keep) == 1 and keep[0] in words:
            words[keep[0]](node)
            return
        children = {child.name for child in steering.store.children(node.id)}
        for name in keep:
            if name not in children:
                known = ", ".join(sorted(children)) or "none"
                raise UsageError(f"{name!r} is no candidate of {parent}; it has {known}")
        steering.choose(node, keep)

    steer(store, play, here=here, as_json=as_json, work=False)


def branch(
    store: Path,
    node: str,
    request: BranchRequest,
    *,
    here: Here,
    as_json: bool,
) -> None:
    """Grows on from any node."""
    steer(store, lambda s: s.branch(s.session.node(node), request), here=here, as_json=as_json)


def fork(
    path: Path,
    node: str,
    overrides: Mapping[str, SettingValue],
    iterations: int,
    *,
    here: Here,
    as_json: bool,
) -> None:
    """Starts another run at a node, with other settings, and grows it."""
    from explorer.session.fork import fork as make

    async def play(steering: Steering) -> Session:
        session = steering.session
        given = {**overrides, "iterations": iterations}
        root = session.node(node)
        await session.jobs.places()  # else a run would begin that cannot grow
        forked = session.on_run(make(session, root, given))
        why = f"forked from {node} of run {session.run.name}"
        session.emit(RunBegun(forked.run.name, why))
        await grow_tree(forked)
        return forked

    steer(path, play, here=here, as_json=as_json)


def candidate(
    store: Path, parent: str, request: CandidateRequest, *, here: Here, as_json: bool
) -> None:
    """Makes one further candidate of a parent."""
    steer(store, lambda s: s.candidate(s.session.node(parent), request), here=here, as_json=as_json)


def alone(
    store: Path, node: str, budget: Budget, *, everywhere: bool, here: Here, as_json: bool
) -> None:
    """Lets the policy decide within a budget: from a node on, or everywhere."""

    def play(steering: Steering) -> None:
        steering.let_decide(budget, steering.session.node(node), everywhere=everywhere)

    steer(store, play, here=here, as_json=as_json)


def undo(store: Path, *, redo: bool, here: Here, as_json: bool) -> None:
    """Takes back the newest decision, or makes it again."""
    play = Steering.redo if redo else Steering.undo
    steer(store, play, here=here, as_json=as_json, work=False)


def annotate(store: Path, node: str, play: Callable[[Steering, Node], Any], *, here: Here) -> None:
    """A tag, a note, or a drop."""
    steer(store, lambda s: play(s, s.session.node(node)), here=here, work=False, quiet=True)


def steer(
    path: Path,
    play: Play,
    *,
    here: Here = NOTHING_SAID,
    as_json: bool = False,
    work: bool = True,
    quiet: bool = False,
) -> None:
    """Opens a store, lets `play` steer it, waits for the work, and prints the tree.

    Without `work` nothing is grown: what was decided is stored, and grows when it is asked for.
    """
    given = {} if here.data is None else {"data": here.data}
    request = Request(
        str(store_path(path)), overrides=given, allow_factory=here.allow_factory, run=here.run
    )
    with Reporter(quiet=quiet) as reporter, ending_in_order():
        summary = asyncio.run(_steer(request, play, reporter, work, as_json))
    if quiet:
        return
    if as_json:
        print_json(summary)
    else:
        print_tree(summary.nodes, best=summary.best.name)


async def _steer(
    request: Request, play: Play, reporter: Reporter, work: bool, as_json: bool
) -> TreeSummary:
    problems: list[str] = []
    begun: list[RunBegun] = []

    def listen(event: SessionEvent) -> None:
        reporter(event)
        if isinstance(event, WorkFailed):
            problems.append(event.cause)
        elif isinstance(event, RunBegun):
            begun.append(event)

    async def allow(question: str) -> bool:
        return work and not as_json and reporter.asks(question)

    async with session_of(request, listen, allow=allow) as session:
        steering = Steering(session)
        try:
            played = play(steering)
            if asyncio.iscoroutine(played):
                session = await played
            await (steering.idle() if work else steering.stop())
        except NotNowError as error:
            raise UsageError(str(error)) from error
        finally:
            await steering.stop()
        if problems:
            raise WorkFailedError("; ".join(dict.fromkeys(problems)))
        return summary_of(session, Outcome(session.node("R"), "done"), *begun)
