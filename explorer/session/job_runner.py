"""Asking the executor for a run's jobs, and storing what comes back.

The only place where engine results become store rows.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar, cast

from engine.contracts import seeds
from engine.contracts.budgets import Allowed, FitBudgets, Fitted
from engine.contracts.codec import encode_object
from engine.contracts.errors import WeightsChangedError
from engine.contracts.events import EngineEvent, EngineListener
from engine.contracts.jobs import (
    Job,
    JobRequest,
    Places,
    Propose,
    Proposed,
    Recover,
    Recovered,
    Result,
    Tune,
    Tuned,
    key_of,
    snapshots_needed,
)
from engine.contracts.networks import Execution, NetworkRef, Scores
from engine.contracts.preview import Preview, Previewed
from engine.contracts.requests import EditRequest
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError, WorkerDiedError
from explorer.session.artifacts import Artifacts
from explorer.session.data_places import ImagesAt, describer, find, moved
from explorer.session.documents import (
    RunDocument,
    edit_of,
    network_of,
    newest_phase,
    proposal_content,
    structure_of,
)
from explorer.session.errors import CandidatesFailedError
from explorer.session.events import (
    Emit,
    JobAdopted,
    JobAnswered,
    JobAsked,
    JobRetried,
    JobTold,
    PhaseFinished,
    StateChanged,
)
from explorer.session.known_result import known_result
from explorer.session.known_run import with_settings
from store import Node, Phase, State, TreeStore

T = TypeVar("T")


class ProposedBy(NamedTuple):
    """The scores of an earlier proposal, and by which criterion they are."""

    criterion: str
    scores: Scores


ATTEMPTS = 3  # of a job whose worker died, or whose weights were changed under its hands


class JobRunner:
    """One run's jobs: what they are, who does them, where their results go."""

    def __init__(
        self,
        store: TreeStore,
        document: RunDocument,
        executor: Executor,
        artifacts: Artifacts,
        emit: Emit,
    ) -> None:
        self.store = store
        self.document = document
        self.executor = executor
        self.artifacts = artifacts
        self.emit = emit
        self._running: set[int] = set()
        self._preparing = asyncio.Lock()
        self._finding = asyncio.Lock()
        self._data: ImagesAt | None = None

    # ------------------------------------------------------------ the jobs

    def network(self, node: Node, phase: Phase | None = None) -> NetworkRef:
        """A node's network, with its newest weights where no phase is named.

        Raises ForeignFactoryError where it is made by a factory that nobody has allowed.
        """
        self.artifacts.factories.needed_by(self.document)
        return network_of(self.store, self.document, node, phase or newest_phase(node))

    def propose_job(
        self, parent: Node, criterion: str, request: EditRequest | None, scores: Scores | None
    ) -> Propose:
        """What makes a parent's candidates, or the one that a person asks for."""
        structure = structure_of(self.store, self.document, parent)
        return Propose(
            parent=self.network(parent),
            data=self.document.data_ref,
            execution=self.document.environment.execution,
            scoring=replace(self.document.settings.scoring, criterion=criterion),
            seed=seeds.derive(self.document.run.seed, parent.name, "propose"),
            request=request,
            scores=scores,
            structure=None if structure is None or structure.read_off else structure,
        )

    async def preview(self, parent: Node, request: EditRequest, proposed: ProposedBy) -> Previewed:
        """What the candidate of a request would be, looked at beside all other work; `proposed`
        says by which scores it is chosen. Raises JobFailedError, and what looking for data does."""
        made = self.propose_job(parent, proposed.criterion, request, proposed.scores)
        job = Preview(
            made.parent, made.data, self._execution_beside_another(), made.scoring, made.seed,
            request, proposed.scores, made.structure,
        )  # fmt: skip
        places = await self.places()
        await asyncio.to_thread(self.prepare, job)
        asked = JobRequest(uuid.uuid4().hex, job, f"{job.KIND} {parent.name}", places, slots=1)
        return cast(Previewed, await self.executor.run(asked, lambda event: None))

    async def fit(
        self, parent: Node, budgets: Sequence[Allowed], proposed: ProposedBy | None
    ) -> Fitted:
        """What goes of a network for budgets of cost, by the scores of an earlier proposal or, of
        None, by new ones; nothing is kept. Raises JobFailedError, and what looking for data does.
        """
        by = self.document.settings.scoring.criterion if proposed is None else proposed.criterion
        made = self.propose_job(parent, by, None, None if proposed is None else proposed.scores)
        job = FitBudgets(
            made.parent, made.data, made.execution, made.scoring, made.seed, tuple(budgets),
            made.scores, made.structure,
        )  # fmt: skip
        places = await self.places()
        await asyncio.to_thread(self.prepare, job)
        asked = JobRequest(uuid.uuid4().hex, job, f"{job.KIND} {parent.name}", places)
        self.emit(JobAsked(parent.name, job.KIND))
        try:
            told = partial(JobTold, parent.name, job.KIND)
            return cast(Fitted, await self.executor.run(asked, lambda e: self.emit(told(e))))
        finally:
            self.emit(JobAnswered(parent.name, job.KIND))

    def recover_job(self, node: Node) -> Recover:
        """What makes a candidate's first snapshot: its parent, the edit, and seeds of its own."""
        edit = edit_of(node)
        assert node.parent_id is not None and edit is not None
        parent = self.store.node_by_id(node.parent_id)
        settings, seed = self.document.settings, self.document.run.seed
        structure = None
        if settings.similarity.representation != "penultimate":
            structure = structure_of(self.store, self.document, parent)
        return Recover(
            parent=self.network(parent),
            edit=edit,
            data=self.document.data_ref,
            execution=self._execution_beside_another(),
            training=settings.training,
            similarity=settings.similarity,
            seed=seeds.derive(seed, node.name, "recovered"),
            resample_seed=seeds.derive(seed, parent.name, "resamples"),
            structure=None if structure is None or structure.read_off else structure,
            teacher=self._root() if settings.training.teacher == "root" else None,
        )

    def tune_job(self, node: Node) -> Tune:
        """What makes a candidate's second snapshot from its first one."""
        teacher = None
        if self.document.settings.training.teacher == "root":
            teacher = self._root()
        elif self.document.settings.training.teacher == "parent" and node.parent_id is not None:
            teacher = self.network(self.store.node_by_id(node.parent_id))
        return Tune(
            network=self.network(node, "recovered"),
            data=self.document.data_ref,
            execution=self.document.environment.execution,
            training=self.document.settings.training,
            seed=seeds.derive(self.document.run.seed, node.name, "tuned"),
            teacher=teacher,
        )

    def _root(self) -> NetworkRef:
        return self.network(self.store.node(self.document.run.id, "R"))

    def _execution_beside_another(self) -> Execution:
        """On its share of the threads, where the run grows two candidates at once."""
        environment = self.document.environment
        threads = max(1, environment.num_threads // environment.candidates_at_once)
        return replace(environment.execution, num_threads=threads)

    async def places(self) -> Places:
        """Where this run's images lie here: looked for once, and remembered where that is news.
        With them goes the leave to call the functions that make its network and its task.

        Raises DataNotFoundError, OtherDataError, JobFailedError, ForeignFactoryError.
        """
        factory = self.artifacts.factories.needed_by(self.document)
        transforms = self.artifacts.factories.transforms_of(self.document)
        async with self._finding:
            if self._data is None:
                describe = describer(self.executor, self.emit, self.artifacts.factories)
                self._data = await find(self.document, self.artifacts.data, describe)
                self._remember(self._data)
        task = self.artifacts.factories.task_of(self.document)
        criterion = self.artifacts.factories.criterion_of(self.document)
        at = self._data
        return Places(
            data=at.data, factory=factory, task=task, transforms=transforms,
            validation=at.validation, criterion=criterion,
        )  # fmt: skip

    def _remember(self, at: ImagesAt) -> None:
        settings = self.document.settings
        there = at.put_in(settings)
        if there == settings:
            return
        if self.store.read_only:
            self.document = replace(self.document, settings=there)
        else:
            self.document = with_settings(self.store, self.document, there)
        self.emit(moved(self.document))

    def _request(self, job: Job, key: str, node: Node, places: Places) -> JobRequest:
        beside = isinstance(job, Recover) and self.document.environment.candidates_at_once > 1
        return JobRequest(
            id=uuid.uuid4().hex,
            job=job,
            label=f"{job.KIND} {node.name}",
            places=places,
            key=key,
            slots=1 if beside else None,
        )

    # ------------------------------------------------------------ doing them

    async def propose(
        self, parent: Node, criterion: str, request: EditRequest | None, scores: Scores | None
    ) -> list[Node]:
        """A parent's new candidates, stored."""
        job = self.propose_job(parent, criterion, request, scores)
        key = key_of(job)
        result = cast(Proposed, await self.do(job, key, parent))
        added: list[Node] = []
        if result.edits:
            added = self.store.add_candidates(
                parent.id,
                proposal=proposal_content(result),
                edits=[edit.as_json() for edit in result.edits],
            )
        self.artifacts.forget(key)
        return added

    async def recover(self, node: Node) -> Node:
        """A candidate after recovery, stored with its snapshot; one that is ready as it is.

        Raises CandidatesFailedError.
        """
        if node.state == "ready":
            return node
        job = self.recover_job(node)
        key = key_of(job)
        if node.state != "queued":  # failed or cancelled: tried again
            self.set_state(node, "queued")
        self._running.discard(node.id)
        try:
            result = await self.do(job, key, node)
        except JobFailedError as error:
            self.set_state(node, "failed", f"{error.error}: {error}")
            raise CandidatesFailedError(f"{node.name}: {error}") from error
        except asyncio.CancelledError:
            self.set_state(node, "queued")
            raise
        return await self._finish(node, "recovered", cast(Recovered, result), key)

    async def tune(self, node: Node) -> Node:
        """A kept node after the rest of its fine-tuning; the root needs none.

        Raises CandidatesFailedError.
        """
        if is_tuned(node):
            return node
        job = self.tune_job(node)
        key = key_of(job)
        try:
            result = await self.do(job, key, node)
        except JobFailedError as error:
            raise CandidatesFailedError(f"{node.name}: {error}") from error
        return await self._finish(node, "tuned", cast(Tuned, result), key)

    async def do(self, job: Job, key: str, node: Node) -> Result:
        """The result of a job: one that a crash left unstored or that another run of the store has,
        else the executor's."""
        # One after the other: who asked first is first, and weights are written out once.
        async with self._preparing:
            finished, run = await asyncio.to_thread(self._finished_or_prepared, job, key, node)
        if finished is not None:
            self.emit(JobAdopted(node.name, job.KIND, run))
            return finished

        def on_event(event: EngineEvent) -> None:
            # What is ready recovers once more, with another seed, and stays so.
            if isinstance(job, Recover) and node.id not in self._running and node.state != "ready":
                self._running.add(node.id)  # its first sign of life
                self.set_state(node, "running")
            self.emit(JobTold(node.name, job.KIND, event))

        self.emit(JobAsked(node.name, job.KIND))
        try:
            return await self._tried(job, key, node, on_event)
        finally:
            self.emit(JobAnswered(node.name, job.KIND))

    async def _tried(self, job: Job, key: str, node: Node, on_event: EngineListener) -> Result:
        places = await self.places()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self.executor.run(self._request(job, key, node, places), on_event)
            except JobFailedError as error:
                changed = error.error == WeightsChangedError.code
                if not changed and not isinstance(error, WorkerDiedError):
                    raise
                self.emit(JobRetried(node.name, attempt, ATTEMPTS, str(error)))
                if attempt == ATTEMPTS:
                    raise
                if changed:  # since they were prepared: something else wrote to the spool
                    await asyncio.to_thread(self.prepare, job)
        raise AssertionError("unreachable")

    def _finished_or_prepared(
        self, job: Job, key: str, node: Node
    ) -> tuple[Result | None, str | None]:
        if (finished := self.artifacts.finished(key)) is not None:
            return finished, None
        if (known := known_result(self, job, key, node.name)) is not None:
            return known
        self.prepare(job)
        return None, None

    def of_run(self, document: RunDocument) -> JobRunner:
        """The jobs of another run of the same store."""
        return JobRunner(self.store, document, self.executor, self.artifacts, self.emit)

    def prepare(self, job: Job) -> None:
        """Puts the weights that a job needs where its worker finds them."""
        for ref in snapshots_needed(job):
            self.artifacts.path(ref)

    # ------------------------------------------------------------ storing what came back

    async def _finish(self, node: Node, phase: Phase, result: Recovered | Tuned, key: str) -> Node:
        """The node with its result, stored; a cancellation is heard only after that."""
        stored = self._store_result
        finished, was_there = await _to_the_end(asyncio.to_thread(stored, node, phase, result))
        # Weights that were there before may be needed by another run's job just now.
        self.artifacts.forget(key, None if was_there else result.snapshot)
        how = self.document.settings.similarity
        metrics = dict(finished.metrics)
        self.emit(PhaseFinished(finished.name, phase, metrics, how.measure, how.second))
        return finished

    def _store_result(
        self, node: Node, phase: Phase, result: Recovered | Tuned
    ) -> tuple[Node, bool]:
        """In a thread: writing a large snapshot takes seconds. Also whether it was there before."""
        was_there = self.store.has_snapshot(result.snapshot.sha256)
        return self.store.finish(
            node.id,
            phase,
            snapshot=None if was_there else self.artifacts.made(result.snapshot),
            snapshot_hash=result.snapshot.sha256,
            metrics=result.metrics,
            epochs=[encode_object(epoch) for epoch in result.epochs],
            resamples=result.resamples if isinstance(result, Recovered) else None,
            seconds=result.seconds,
        ), was_there

    def set_state(self, node: Node, state: State, error: str | None = None) -> None:
        """The node's new state, stored and told."""
        self.store.set_state(node.id, state, error)
        self.emit(StateChanged(node.name, state, error))

    def sweep(self) -> None:
        """Forgets results that wait in the spool and are stored: a kill came between the two."""
        for key, result in self.artifacts.waiting():
            if self._is_stored(result):
                self.artifacts.forget(key)

    def _is_stored(self, result: Recovered | Tuned | Proposed) -> bool:
        if not isinstance(result, Proposed):
            return self.store.has_result_of(result.snapshot.sha256)
        content = proposal_content(result)
        # A proposal that was stored last has the newest nodes.
        parents = {n.parent_id for n in self.store.newest(self.document.run.id, 20)} - {None}
        proposals = (self.store.proposals(parent) for parent in parents if parent is not None)
        return any(content == each.content for made in proposals for each in made)


def is_tuned(node: Node) -> bool:
    """Whether nothing is left of a node's fine-tuning; the root came without any."""
    return node.structure == "root" or "tuned" in node.phases


async def _to_the_end(work: Awaitable[T]) -> T:
    """The work's result; a cancellation is heard only once the work, a transaction, is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
