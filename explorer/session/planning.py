"""Looking at a run before its first job, or at any time after, without storing anything of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from explorer.executors.base import Executor
from explorer.session.artifacts import Artifacts
from explorer.session.documents import RunDocument, structure_of
from explorer.session.events import Emit
from explorer.session.factories import Allow, Factories
from explorer.session.job_runner import JobRunner
from explorer.session.known_run import check_has_own, settings_with
from explorer.session.model_source import source_of
from explorer.session.new_run import NewRun, look_at
from explorer.session.open_run import Request, settings_of
from explorer.session.speed import Speed, Subject, measure_speed
from store import Node, Run, TreeStore


@dataclass(frozen=True)
class Looked:
    """A run that may begin, how quickly its work goes here, and how long looking took."""

    new: NewRun
    speed: Speed
    start_seconds: float


@dataclass(frozen=True)
class Found:
    """A run of a store as it stands, and one of its networks."""

    document: RunDocument
    metrics: dict[str, float]  # of the root
    decided: int
    subject: Subject


@dataclass(frozen=True)
class LookedAgain:
    """The same of a store's run, with its root's figures and the decisions that are made."""

    document: RunDocument
    metrics: dict[str, float]
    decided: int
    speed: Speed
    start_seconds: float


async def look_at_model(request: Request, executor: Executor, emit: Emit) -> Looked:
    """What would begin with a model. Raises UsageError, JobFailedError, what files raise."""
    started = time.monotonic()
    new = await opened(request, executor, emit)
    seconds = time.monotonic() - started
    speed = await measure_speed(new.subject, new.settings, executor, emit)
    return Looked(new, speed, seconds + speed.another_worker_seconds)


async def opened(request: Request, executor: Executor, emit: Emit) -> NewRun:
    """The run that would begin with a model, its root opened. Raises what `look_at_model` does."""
    source = source_of(request)
    request.check_data()
    settings = settings_of(request)
    source = await source.with_weights(executor, emit)
    checkpoint = source.checkpoint()
    return await look_at(source, checkpoint, request, settings, request.overrides, executor, emit)


async def look_at_store(
    path: Path,
    request: Request,
    spool: Path,
    executor: Executor,
    emit: Emit,
    allow: Allow,
    which: Callable[[TreeStore], Run],
) -> LookedAgain:
    """What a run of a store still takes, `which` it is; the store is only read.

    Raises UsageError, StoreError, JobFailedError, ForeignFactoryError.
    """
    started = time.monotonic()
    found = await found_in(path, request, spool, executor, emit, allow, which)
    seconds = time.monotonic() - started
    speed = await measure_speed(found.subject, found.document.settings, executor, emit)
    seconds += speed.another_worker_seconds
    return LookedAgain(found.document, found.metrics, found.decided, speed, seconds)


async def found_in(
    path: Path,
    request: Request,
    spool: Path,
    executor: Executor,
    emit: Emit,
    allow: Allow,
    which: Callable[[TreeStore], Run],
) -> Found:
    """A run of a store and its root, whose weights are in the spool then; the store is only read.
    Raises what `look_at_store` does."""
    async with looking_at(path, request, spool, executor, emit, allow, which) as jobs:
        root = jobs.store.node(jobs.document.run.id, "R")
        subject = await subject_of(jobs, root)
        jobs.artifacts.path(subject.network.snapshot)
        return Found(jobs.document, dict(root.metrics), kept_depth(jobs.store, root), subject)


@asynccontextmanager
async def looking_at(
    path: Path,
    request: Request,
    spool: Path,
    executor: Executor,
    emit: Emit,
    allow: Allow,
    which: Callable[[TreeStore], Run],
) -> AsyncIterator[JobRunner]:
    """What asks for jobs about a run of a store, which is only read.

    Raises UsageError, StoreError, ForeignFactoryError.
    """
    with TreeStore.open(path, read_only=True) as store:
        known = RunDocument.of(which(store))
        wanted = settings_with(known, request.overrides)  # when to stop, of a run that exists
        document = replace(known, settings=wanted)
        factories = Factories(request.given_factories)
        await factories.ask(document, allow)
        artifacts = Artifacts(store, spool, factories=factories)
        check_has_own(known, request.validation)
        artifacts.data.given = request.data
        artifacts.data.given_validation = request.validation
        yield JobRunner(store, document, executor, artifacts, emit)


async def subject_of(jobs: JobRunner, node: Node) -> Subject:
    """A node's network, to be measured. Raises what looking for a run's data raises."""
    places = await jobs.places()
    document, structure = jobs.document, structure_of(jobs.store, jobs.document, node)
    return Subject(
        jobs.network(node),
        document.data_ref,
        document.environment,
        None if structure is None or structure.read_off else structure,
        places,
    )


def kept_depth(store: TreeStore, root: Node) -> int:
    """How many decisions lie on the kept path."""
    node = root
    while (decision := store.decision_of(node.id)) is not None and decision.kept:
        node = store.node_by_id(decision.kept[-1])
    return node.depth - root.depth
