"""Making a node's snapshots again, from its parent's, to see whether they are the same.

The store is only read: the work is done in a spool folder that the caller gives and removes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, cast

from engine.contracts.errors import SettingsError, UsageError
from engine.contracts.events import Noted
from engine.contracts.jobs import Diagnosis, Doctor, Job, JobRequest, Recovered, Result, Tuned
from engine.contracts.networks import Environment
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError
from explorer.session.artifacts import Artifacts
from explorer.session.documents import RunDocument
from explorer.session.events import Emit, JobTold
from explorer.session.job_runner import JobRunner
from store import Node, Phase

Value = float | str | None
Verdict = Literal["identical", "equivalent", "different"]
Pair = tuple[Value, Value]  # a value as it is stored, and as it is now
# A clock measures these: they differ every time.
_TIMES = ("latency_ms", "latency_ratio", "latency_ratio_low", "latency_ratio_high")


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
    artifacts: Artifacts, document: RunDocument, name: str, executor: Executor, emit: Emit
) -> Reexecution:
    """Makes all snapshots of a node again, in the order in which they were made.

    Raises UsageError for a node that no job made, and what the jobs raise: JobFailedError,
    StoreError where the parent's weights are damaged or freed.
    """
    store, run = artifacts.store, document.run
    node = store.node(run.id, name)
    if node.structure == "root":
        raise UsageError("R was not made by a job but read from a checkpoint; name a candidate")
    if node.state != "ready":
        raise UsageError(f"{name} is {node.state}; only a ready node can be made again")
    here = await _environment(document.environment, executor, emit)
    # What is here, so that a tree of another machine's GPU can be made again without one.
    jobs = JobRunner(store, replace(document, environment=here), executor, artifacts, emit)
    remade = [await _remake(jobs, node, phase) for phase in node.phases]
    differences = _differences(_values(document.environment), _values(here))
    return Reexecution(name, run.id, tuple(remade), differences)


async def _environment(stored: Environment, executor: Executor, emit: Emit) -> Environment:
    """What this machine is, set up as the run was wherever it can be."""
    try:
        job = Doctor(stored.device)
        found = cast(Diagnosis, await _run(JobRequest("", job), executor, emit)).environment
    except JobFailedError as error:
        if error.error != SettingsError.code:
            raise
        found = cast(Diagnosis, await _run(JobRequest("", Doctor()), executor, emit)).environment
        emit(Noted(f"{error}; {found.device} is used instead"))
        return found
    # How the run's arithmetic is done is taken over where the run's device is here too.
    return replace(
        found,
        device=stored.device,
        num_threads=stored.num_threads,
        autocast=stored.autocast,
        candidates_at_once=stored.candidates_at_once,
    )


async def _remake(jobs: JobRunner, node: Node, phase: Phase) -> Remade:
    job: Job = jobs.recover_job(node) if phase == "recovered" else jobs.tune_job(node)
    jobs.prepare(job)
    request = JobRequest("", job, f"{job.KIND} {node.name}", await jobs.places())
    result = cast(Recovered | Tuned, await _run(request, jobs.executor, jobs.emit, node.name))
    differences = _differences(jobs.store.metrics_of(node.id, phase), result.metrics)
    return Remade(
        phase=phase,
        stored_sha256=jobs.store.snapshot_hash(node.id, phase),
        sha256=result.snapshot.sha256,
        metrics={name: pair for name, pair in differences.items() if name not in _TIMES},
    )


def _values(environment: Environment) -> dict[str, Value]:
    return {field.name: getattr(environment, field.name) for field in fields(environment)}


def _differences(stored: Mapping[str, Value], now: Mapping[str, Value]) -> dict[str, Pair]:
    """What is not the same in both, by name; what one of them lacks is None there."""
    pairs = {key: (stored.get(key), now.get(key)) for key in (*now, *stored)}
    # Two that are not a number are the same here.
    return {key: (a, b) for key, (a, b) in pairs.items() if a != b and not (a != a and b != b)}


async def _run(request: JobRequest, executor: Executor, emit: Emit, node: str = "") -> Result:
    return await executor.run(
        replace(request, id=uuid.uuid4().hex),
        lambda event: emit(JobTold(node, request.job.KIND, event)),
    )
