"""Making a node's snapshots again, from its parent's, to see whether they are the same.

The store is only read: the work is done in a spool folder that the caller gives and removes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from engine.contracts.errors import UsageError
from explorer.executors.base import Executor
from explorer.executors.worker_pool import JobFailedError
from explorer.session.job_runner import Listener, Work
from store import (
    Node,
    Phase,
    Run,
    TreeStore,
)

Verdict = Literal["identical", "equivalent", "different"]
Pair = tuple[Any, Any]  # a value as it is stored, and as it is now
# A clock measures these: they differ every time.
_TIMES = ("latency_ms", "latency_ratio")
# How the run's arithmetic is done, which is taken over where the run's device is here too.
_EXECUTION = ("device", "num_threads", "autocast", "candidates_at_once")
_NO_ENVIRONMENT = ("seconds", "cuda_devices")  # what `doctor` tells besides


@dataclass(frozen=True)
class Remade:
    """One of a node's snapshots, made again; `metrics` holds those that differ."""

    phase: Phase
    stored_sha256: str
    sha256: str
    metrics: Mapping[str, Pair]

    @property
    def identical(self) -> bool:
        """Whether every bit of the weights is the same."""
        return self.sha256 == self.stored_sha256


@dataclass(frozen=True)
class Reexecution:
    """A node made again; `environment` holds what is different from when it was stored."""

    node: str
    run_id: int
    remade: tuple[Remade, ...]
    environment: Mapping[str, Pair]

    @property
    def verdict(self) -> Verdict:
        """`identical`, `equivalent` (another environment may round differently), `different`."""
        if all(one.identical and (self.environment or not one.metrics) for one in self.remade):
            return "identical"
        return "equivalent" if self.environment else "different"


async def reexecute(
    store: TreeStore, run: Run, name: str, executor: Executor, spool: Path, listener: Listener
) -> Reexecution:
    """Makes all snapshots of a node again, in the order in which they were made.

    Raises UsageError for a node that no job made, and what the jobs raise: JobFailedError,
    StoreError where the parent's weights are damaged or freed.
    """
    node = store.node(run.id, name)
    if node.structure == "root":
        raise UsageError("R was not made by a job but read from a checkpoint; name a candidate")
    if node.state != "ready":
        raise UsageError(f"{name} is {node.state}; only a ready node can be made again")
    here = await _environment(run, executor, listener)
    # What is here, so that a tree of another machine's GPU can be made again without one.
    work = Work(store, replace(run, environment=here), executor, spool, listener)
    remade = [await _remake(work, node, phase) for phase in node.phases]
    return Reexecution(name, run.id, tuple(remade), _differences(run.environment, here))


async def _environment(run: Run, executor: Executor, listener: Listener) -> dict[str, Any]:
    """What this machine is, set up as the run was wherever it can be."""
    wanted = {key: run.environment[key] for key in _EXECUTION if key in run.environment}
    wanted.setdefault("candidates_at_once", 1)  # as it was before two at once
    device = wanted.get("device", "auto")
    try:
        found = await _run({"kind": "doctor", "device": device}, executor, listener)
    except JobFailedError as error:
        if error.kind != "SettingsError":
            raise
        found = await _run({"kind": "doctor"}, executor, listener)
        wanted = {}
        listener({"event": "note", "text": f"{error}; {found['device']} is used instead"})
    return {k: v for k, v in {**found, **wanted}.items() if k not in _NO_ENVIRONMENT}


async def _remake(work: Work, node: Node, phase: Phase) -> Remade:
    make_job = work.recover_job if phase == "recovered" else work.tune_job
    job = await asyncio.to_thread(make_job, node)
    result = await _run(job, work.executor, work.listener, node.name)
    differences = _differences(work.store.metrics_of(node.id, phase), result["metrics"])
    return Remade(
        phase=phase,
        stored_sha256=work.store.snapshot_hash(node.id, phase),
        sha256=result["snapshot"]["sha256"],
        metrics={name: pair for name, pair in differences.items() if name not in _TIMES},
    )


def _differences(stored: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Pair]:
    """What is not the same in both, by name; what one of them lacks is None there."""
    pairs = {key: (stored.get(key), now.get(key)) for key in (*now, *stored)}
    # Two that are not a number are the same here.
    return {key: (a, b) for key, (a, b) in pairs.items() if a != b and not (a != a and b != b)}


async def _run(
    job: Mapping[str, Any], executor: Executor, listener: Listener, node: str = ""
) -> dict[str, Any]:
    about = {"node": node, "kind": job["kind"]}
    return await executor.run(
        {"id": uuid.uuid4().hex, **job}, lambda event: listener({**event, **about})
    )
