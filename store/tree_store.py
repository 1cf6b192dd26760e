"""A project's runs, nodes and decisions in one file: the one class that other rooms use.

What a method writes is one transaction, but for snapshots, whose parts go ahead of it. The code is
in `store.tables`, a module for each kind of row; here is what may be asked, and what it promises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from store.open_file import OpenFile
from store.records import (
    Annotation,
    Decision,
    EpochRow,
    Evaluation,
    Event,
    Freeable,
    JsonObject,
    Node,
    NodeSummary,
    Phase,
    PhaseMetrics,
    PhaseSeconds,
    Proposal,
    Run,
    State,
)
from store.tables import annotations as node_annotations
from store.tables import (
    candidates,
    decisions,
    evaluations,
    events,
    new_run,
    node_results,
    node_summaries,
    nodes,
    runs,
    snapshots,
    weight_gc,
)


class TreeStore(OpenFile):
    """One store file, open: what it holds, and what is written to it."""

    # ------------------------------------------------------------ runs

    def create_run(
        self,
        *,
        name: str,
        seed: int,
        architecture: JsonObject,
        data: JsonObject,
        settings: JsonObject,
        environment: JsonObject,
        root_metrics: Mapping[str, float],
        root_snapshot: bytes,
    ) -> Run:
        """A new run and its ready root `R`. Raises InvalidValueError, StoreFullError."""
        return new_run.create(
            self._connection,
            name=name,
            seed=seed,
            architecture=architecture,
            data=data,
            settings=settings,
            environment=environment,
            root_metrics=root_metrics,
            root_snapshot=root_snapshot,
        )

    def extend_run_settings(self, run_id: int, settings: JsonObject) -> Run:
        """The run with new settings; the old ones stay in the file.

        Settings equal to the newest ones add nothing. Raises UnknownRunError, InvalidValueError.
        """
        return new_run.extend_settings(self._connection, run_id, settings)

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return runs.every(self._connection)

    def run(self, run_id: int) -> Run:
        """The run of that id. Raises UnknownRunError."""
        return runs.by_id(self._connection, run_id)

    def latest_run(self) -> Run | None:
        """The newest run, None in a store without any."""
        return runs.latest(self._connection)

    # ------------------------------------------------------------ nodes

    def nodes(self, run_id: int) -> list[Node]:
        """The nodes of a run in the order they were made. Raises UnknownRunError."""
        return nodes.of_run(self._connection, run_id)

    def newest(self, run_id: int, limit: int) -> list[Node]:
        """The `limit` newest nodes of a run in the order they were made. Raises UnknownRunError."""
        return nodes.newest(self._connection, run_id, limit)

    def node(self, run_id: int, name: str) -> Node:
        """The node of that name. Raises UnknownRunError, or UnknownNodeError naming near ones."""
        return nodes.by_name(self._connection, run_id, name)

    def node_by_id(self, node_id: int) -> Node:
        """The node of that id. Raises UnknownNodeError."""
        return nodes.by_id(self._connection, node_id)

    def children(self, node_id: int) -> list[Node]:
        """The candidates made from a node, in the order they were made. Raises UnknownNodeError."""
        return nodes.children(self._connection, node_id)

    def lineage(self, node_id: int) -> list[Node]:
        """The nodes from the root to the given one, both included. Raises UnknownNodeError."""
        return nodes.lineage(self._connection, node_id)

    def nodes_by_phase(
        self, run_id: int, after_event: int = 0
    ) -> tuple[list[Node], PhaseSeconds, PhaseMetrics]:
        """A run's nodes as `nodes` gives them, with what each of their phases took and measured;
        only those that an event after the given one speaks of, and their new candidates.

        Raises UnknownRunError.
        """
        return nodes.by_phase(self._connection, run_id, after_event)

    # ------------------------------------------------------------ many nodes, in brief

    def summaries(self, run_id: int, after: int = 0) -> Iterator[list[NodeSummary]]:
        """A run's nodes with ids above `after` in the order they were made, some thousands at a
        time."""
        return node_summaries.after(self._connection, run_id, after)

    def newest_summaries(self, run_id: int, count: int) -> Iterator[list[NodeSummary]]:
        """The newest nodes of a run, about so many, with all above them; parents come first."""
        return node_summaries.newest(self._connection, run_id, count)

    def kept_path(self, run_id: int, most: int = node_summaries.CHUNK_NODES) -> list[NodeSummary]:
        """The nodes of the kept path with their siblings, parents first; at most `most`."""
        return node_summaries.kept_path(self._connection, run_id, most)

    def measured(self, run_id: int, metric: str, most: int) -> dict[str, float]:
        """A metric by the names of the newest nodes that have it; at most `most` values."""
        return node_summaries.measured(self._connection, run_id, metric, most)

    def epochs_trained(self, run_id: int) -> dict[str, int]:
        """How many epochs each node was trained for itself, by the names of those that were."""
        return node_summaries.epochs_trained(self._connection, run_id)

    def tip(self, run_id: int) -> int:
        """The id of the last node of the kept path."""
        return node_summaries.tip(self._connection, run_id)

    def open_parents(self, run_id: int) -> list[int]:
        """The ids of parents whose candidates are done and not all decided on, in order."""
        return node_summaries.open_parents(self._connection, run_id)

    def unfinished(self, run_id: int) -> list[int]:
        """The ids of nodes whose work waits or was under way, and of nodes kept lately that are
        not tuned and have no candidates yet, in order."""
        return node_summaries.unfinished(self._connection, run_id)

    def num_nodes(self, run_id: int) -> int:
        """How many nodes a run has."""
        return node_summaries.num_nodes(self._connection, run_id)

    # ------------------------------------------------------------ candidates and their results

    def add_candidates(
        self, parent_id: int, *, proposal: JsonObject, edits: Sequence[JsonObject]
    ) -> list[Node]:
        """Queued children of a ready node, one an edit, with the proposal they come from.

        An edit names its structure, a word: what was never seen before gets its letters in names
        (`store.tables.structures`). Raises UnknownNodeError, IllegalStateError, InvalidValueError.
        """
        return candidates.add(self._connection, parent_id, proposal, edits)

    def proposals(self, parent_id: int) -> list[Proposal]:
        """The proposals made for a node, the oldest first."""
        return candidates.proposals(self._connection, parent_id)

    def set_state(self, node_id: int, state: State, error: str | None = None) -> Node:
        """The node in its new state: queued, running, failed (with its error) or cancelled.

        The state it has already is no change. Raises UnknownNodeError, IllegalStateError,
        InvalidValueError.
        """
        return candidates.set_state(self._connection, node_id, state, error)

    def finish(
        self,
        node_id: int,
        phase: Phase,
        *,
        snapshot: bytes | None = None,
        snapshot_hash: str | None = None,
        metrics: Mapping[str, float],
        epochs: Sequence[JsonObject],
        resamples: Sequence[float] | None,
        seconds: float,
    ) -> Node:
        """The node with the result of its phase: 'recovered' makes it ready, 'tuned' follows.

        The snapshot comes as its bytes, or as the hash of one that is stored; given both, they must
        agree. The same result again changes nothing. Raises FinishedNodeError for another one,
        IllegalStateError, InvalidValueError, UnknownNodeError, UnknownSnapshotError and
        StoreFullError.
        """
        node_results.check_phase(phase)
        result = node_results.make_result(
            phase,
            snapshot=snapshot,
            snapshot_hash=snapshot_hash,
            metrics=metrics,
            epochs=epochs,
            resamples=resamples,
            seconds=seconds,
        )
        return node_results.finish(self._connection, node_id, result)

    def metrics_of(self, node_id: int, phase: Phase) -> dict[str, float]:
        """What one phase of a node measured. Raises UnknownResultError where it has none."""
        return node_results.metrics(self._connection, node_id, phase)

    def epochs(self, node_id: int, phase: Phase | None = None) -> list[EpochRow]:
        """The epochs of a node's phases (or of one), in the order they were trained."""
        return node_results.epochs(self._connection, node_id, phase)

    def resamples(self, node_id: int, phase: Phase) -> list[float] | None:
        """The similarities on the seeded resamples, None where the phase measured none.

        Raises UnknownResultError where the node has no result of the phase.
        """
        return node_results.resamples(self._connection, node_id, phase)

    def snapshot_hash(self, node_id: int, phase: Phase) -> str:
        """The address of a node's snapshot. Raises UnknownNodeError, UnknownResultError."""
        return node_results.snapshot_hash(self._connection, node_id, phase)

    def seconds_by_phase(self, run_id: int) -> dict[Phase, list[float]]:
        """What the results of a run took, by phase, in the order of its nodes."""
        return node_results.seconds_by_phase(self._connection, run_id)

    def seconds_of(self, node_id: int, phase: Phase) -> float:
        """What one phase of a node took. Raises UnknownResultError where it has none."""
        return node_results.seconds(self._connection, node_id, phase)

    def has_result_of(self, snapshot_hash: str) -> bool:
        """Whether some node's result has this snapshot."""
        return node_results.any_has(self._connection, snapshot_hash)

    def has_snapshot(self, snapshot_hash: str) -> bool:
        """Whether the store has a snapshot with all its bytes; not of one that was freed."""
        return snapshots.is_complete(self._connection, snapshot_hash)

    def snapshot(self, snapshot_hash: str) -> bytes:
        """The bytes of a snapshot, checked. Raises UnknownSnapshotError, SnapshotDamagedError."""
        return snapshots.read(self._connection, snapshot_hash)

    # ------------------------------------------------------------ evaluations

    def add_evaluation(
        self,
        node_id: int,
        phase: Phase,
        kind: str,
        settings: JsonObject,
        metrics: Mapping[str, float],
    ) -> Evaluation:
        """An evaluation of a node's network as it was after a phase: of what kind, how, and what
        came out. The same again changes nothing.

        Raises EvaluatedError where the same kind and settings gave something else,
        UnknownNodeError, UnknownResultError, InvalidValueError.
        """
        return evaluations.add(self._connection, node_id, phase, kind, settings, metrics)

    def evaluations(self, node_id: int) -> list[Evaluation]:
        """A node's evaluations, the oldest first. Raises UnknownNodeError."""
        return evaluations.of_node(self._connection, node_id)

    # ------------------------------------------------------------ decisions

    def decide(
        self,
        parent_id: int,
        *,
        kept: Sequence[int],
        suggested: int | None,
        actor: str,
        reason: str,
        margin: float | None = None,
        margin_low: float | None = None,
        margin_high: float | None = None,
        too_close: bool | None = None,
    ) -> Decision:
        """The decision on a node's candidates; it supersedes the one before. `kept` may be empty.

        A margin that is not finite says nothing, and is stored as None. Raises UnknownNodeError,
        UnkeepableNodeError (an id that is no ready child), InvalidValueError.
        """
        return decisions.decide(
            self._connection,
            parent_id,
            kept=kept,
            suggested=suggested,
            actor=actor,
            reason=reason,
            margin=margin,
            margin_low=margin_low,
            margin_high=margin_high,
            too_close=too_close,
        )

    def undecide(self, parent_id: int, *, actor: str, reason: str) -> Decision:
        """A decision that makes a node's candidates undecided again; it supersedes the newest one.

        Raises UnknownNodeError, IllegalStateError where nothing is decided, InvalidValueError.
        """
        return decisions.undecide(self._connection, parent_id, actor, reason)

    def decisions(self, run_id: int, after: int = 0) -> list[Decision]:
        """All decisions of a run with an id greater than `after`, superseded ones included, the
        oldest first."""
        return decisions.of_run(self._connection, run_id, after)

    def decision(self, decision_id: int) -> Decision:
        """The decision of that id. Raises InvalidValueError."""
        return decisions.by_id(self._connection, decision_id)

    def decision_of(self, parent_id: int) -> Decision | None:
        """The newest decision on a node's candidates, None while there is none."""
        return decisions.newest_of(self._connection, parent_id)

    # ------------------------------------------------------------ the log, and what people say

    def add_event(
        self, run_id: int, kind: str, payload: JsonObject, node_id: int | None = None
    ) -> Event:
        """A new line of the run's log. Raises UnknownRunError, UnknownNodeError."""
        return events.add(self._connection, run_id, kind, payload, node_id)

    def events(self, run_id: int, after: int = 0, limit: int = -1) -> list[Event]:
        """What happened to a run, in order: events with an id greater than `after`, at most
        `limit` of them (a negative limit: all)."""
        return events.read(self._connection, run_id, after, limit)

    def last_event_id(self, run_id: int) -> int:
        """The newest line of a run's log; 0 in a run without any."""
        return events.last_id(self._connection, run_id)

    def tag(self, node_id: int, tag: str, on: bool = True) -> Event | None:
        """Gives a node a tag or takes it away; None where it is so already.

        Raises UnknownNodeError, InvalidValueError.
        """
        return node_annotations.tag(self._connection, node_id, tag, on)

    def note(self, node_id: int, text: str) -> Event | None:
        """Sets a node's note, '' removes it; None where it is so already.

        Raises UnknownNodeError, InvalidValueError.
        """
        return node_annotations.note(self._connection, node_id, text)

    def drop(self, node_id: int, on: bool = True) -> Event | None:
        """Marks a node and what is below it as dropped, or brings it back; None where it is so.

        Nothing is deleted. Raises UnknownNodeError, InvalidValueError (the root).
        """
        return node_annotations.drop(self._connection, node_id, on)

    def annotations(self, run_id: int) -> dict[int, Annotation]:
        """What is said of a run's nodes, by node; only nodes of which something is said."""
        return node_annotations.of_run(self._connection, run_id)

    # ------------------------------------------------------------ weights of dropped nodes

    def freeable(self) -> Freeable:
        """What `free` would free now, in all runs."""
        return weight_gc.freeable(self._connection)

    def free(self) -> Freeable:
        """Frees the weights of dropped nodes and of all below them; gives what went.

        Nothing goes that another node needs, be it as its own weights. After a crash in between,
        the next opening finishes what was begun. The file keeps its size until `shrink`.
        """
        return weight_gc.free(self._connection)
