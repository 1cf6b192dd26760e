"""`verify --reexecute`: whether a node can be made again, bit for bit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from engine.contracts.spool import log_path
from explorer.cli.console import find_run, say
from explorer.cli.json_types import Reexecuted, RemadeLine
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.worker_pool import WorkerPool
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import DataPlaces, folders_of
from explorer.session.documents import RunDocument
from explorer.session.factories import Factories
from explorer.session.reproduce import (
    Pair,
    Reexecution,
    Remade,
    reexecute,
)
from store import TreeStore

_HASH_DIGITS = 12


def reexecute_node(
    path: Path,
    name: str,
    data: str | None,
    allow_factory: Sequence[str] = (),
    wanted: str | None = None,
) -> Reexecution:
    """A node of a run (the newest unless one is `wanted`) made again, in a worker and a folder that
    are gone afterwards."""

    async def work(reporter: Reporter) -> Reexecution:
        with (
            TreeStore.open(path, read_only=True) as store,
            temporary_folder() as spool,
        ):
            executor = WorkerPool(spool, log=log_path(spool))
            try:
                places = DataPlaces(data, folders_of(store.path))
                artifacts = Artifacts(store, spool, places, Factories(allow_factory))
                document = RunDocument.of(find_run(store, wanted))
                return await reexecute(artifacts, document, name, executor, reporter)
            finally:
                await executor.close()

    with Reporter() as reporter, ending_in_order():
        return asyncio.run(work(reporter))


def shape_of(found: Reexecution) -> Reexecuted:
    """What `verify --json` says of it."""
    remade = tuple(
        RemadeLine(one.phase, one.identical, one.stored_sha256, one.sha256, one.metrics)
        for one in found.remade
    )
    return Reexecuted(found.node, found.run_id, found.verdict, found.environment, remade)


def print_reexecution(found: Reexecution) -> None:
    """A line for each snapshot, and the verdict."""
    for one in found.remade:
        say(f"{found.node} {one.phase}: {_outcome(one)}")
        for name, pair in one.metrics.items():
            say(f"  {name}: {_pair(pair)}")
    say(f"{found.node}: {_sentence(found)}")


def _outcome(one: Remade) -> str:
    if one.identical:
        return f"the same bits (SHA-256 {one.sha256[:_HASH_DIGITS]})"
    then, now = one.stored_sha256[:_HASH_DIGITS], one.sha256[:_HASH_DIGITS]
    return f"other bits (SHA-256 {then} stored, {now} now)"


def _sentence(found: Reexecution) -> str:
    changed = "; ".join(f"{key}: {_pair(pair)}" for key, pair in found.environment.items())
    if found.verdict == "identical":
        return "identical, bit for bit"
    if found.verdict == "equivalent":
        return f"equivalent, not identical: the environment differs in {changed}"
    return (
        "different, though the environment is the one it was made in. What is stored was not made "
        "from its parent by this version of pe-explore, or was changed"
    )


def _pair(pair: Pair) -> str:
    then, now = ("-" if value is None else str(value) for value in pair)
    return f"{then} stored, {now} now"
