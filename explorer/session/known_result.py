"""Results that another run of the same store has: a job is done once, whichever run asks for it.

The seeds of a job follow from its run's seed and its node's name. So only a node of that name, in a
run of that seed and root, can have been made by the very same job; whether it was, its key says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from engine.contracts.codec import decode
from engine.contracts.jobs import (
    Epoch,
    Job,
    Propose,
    Proposed,
    Recover,
    Recovered,
    Tune,
    Tuned,
    key_of,
)
from engine.contracts.networks import Scores, SnapshotRef
from engine.contracts.requests import EditRequest
from explorer.session.documents import RunDocument, UnreadableRowError, edit_of, read_proposal
from explorer.session.known_run import is_of_the_same_root
from store import Node, TreeStore, UnknownNodeError

Known = Proposed | Recovered | Tuned


class Jobs(Protocol):
    """What makes a run's jobs (`JobRunner`)."""

    store: TreeStore
    document: RunDocument

    def of_run(self, document: RunDocument) -> Jobs: ...
    def propose_job(
        self, parent: Node, criterion: str, request: EditRequest | None, scores: Scores | None
    ) -> Propose: ...
    def recover_job(self, node: Node) -> Recover: ...
    def tune_job(self, node: Node) -> Tune: ...


def known_result(jobs: Jobs, job: Job, key: str, node: str) -> tuple[Known, str] | None:
    """The result of a job of the node of that name, and the run that has it; None where none has.

    Raises StoreError.
    """
    if not isinstance(job, Propose | Recover | Tune):
        return None
    for other in _alike(jobs):
        try:
            found = _result_in(jobs.of_run(other), job, key, node)
        except UnreadableRowError:
            continue  # of a row that is damaged nothing is taken over
        if found is not None:
            return found, other.run.name
    return None


def _alike(jobs: Jobs) -> Iterator[RunDocument]:
    """The other runs with this root and seed."""
    own = jobs.document
    for run in jobs.store.runs():
        if run.id == own.run.id or run.seed != own.run.seed:
            continue
        try:
            document = RunDocument.of(run)
        except UnreadableRowError:
            continue
        if is_of_the_same_root(document, own):
            yield document


def _result_in(other: Jobs, job: Propose | Recover | Tune, key: str, name: str) -> Known | None:
    try:
        node = other.store.node(other.document.run.id, name)
    except UnknownNodeError:
        return None
    if isinstance(job, Propose):
        return _proposed(other, job, key, node)
    phase = "recovered" if isinstance(job, Recover) else "tuned"
    if phase not in node.phases:
        return None
    same = other.recover_job(node) if phase == "recovered" else other.tune_job(node)
    if key_of(same) != key:
        return None
    return _finished(other.store, node, phase)


def _finished(store: TreeStore, node: Node, phase: str) -> Recovered | Tuned | None:
    """The result of a phase as the job gave it; None where its weights were freed."""
    address = store.snapshot_hash(node.id, phase)
    if not store.has_snapshot(address):
        return None
    snapshot, metrics = SnapshotRef(address), store.metrics_of(node.id, phase)
    epochs = tuple(decode(Epoch, row.values, "epoch") for row in store.epochs(node.id, phase))
    seconds = store.seconds_of(node.id, phase)
    if phase == "tuned":
        return Tuned(snapshot, epochs, metrics, seconds)
    resamples = tuple(store.resamples(node.id, phase) or ())
    return Recovered(snapshot, epochs, resamples, metrics, seconds)


def _proposed(other: Jobs, job: Propose, key: str, parent: Node) -> Proposed | None:
    """The candidates that the policy's own proposal gave: of a parent that has no other one, whose
    candidates are then all of it."""
    proposals = other.store.proposals(parent.id)
    if job.request is not None or len(proposals) != 1:
        return None
    made = read_proposal(proposals[0])
    same = other.propose_job(parent, made.criterion, None, None)
    if made.request is not None or key_of(same) != key:
        return None
    edits = [edit_of(child) for child in other.store.children(parent.id)]
    seconds = cast(float, proposals[0].content.get("seconds", 0.0))
    return Proposed(
        made.criterion,
        made.scores,
        tuple(edit for edit in edits if edit is not None),
        made.sample_ids,
        None,
        seconds,
    )
