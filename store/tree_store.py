"""A project's runs, nodes and decisions in one file. What a method writes is one transaction."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from store.errors import IllegalStateError, InvalidValueError
from store.records import (
    Decision,
    Event,
    Node,
    Phase,
    Run,
    State,
)
from store.sqlite import canonical_json as documents
from store.sqlite.connection import Connection, reader
from store.tables import snapshots
from store.tables.node_results import make_result
from store.tables.node_summaries import Outlining
from store.tables.rows import (
    LEGAL_CHANGES,
    STATES,
    STRUCTURES,
    check_run_name,
    check_seed,
)
from store.tables.snapshots import timestamp
from store.tables.weight_gc import Freeing

if TYPE_CHECKING:
    import sqlite_utils


class TreeStore(Freeing, Outlining):
    """One store file, open. One process at a time writes; any number read meanwhile."""

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, read_only: bool = False, create: bool = False
    ) -> Self:
        """The store at `path`; with `create`, a new one where there is none.

        A writer also tidies up after one that died: running nodes are queued again, unfinished
        snapshots removed. Raises StoreNotFoundError, NotAStoreError, NewerStoreError,
        OlderStoreError, DamagedStoreError, StoreLockedError, StoreNotWritableError.
        """
        if read_only and create:
            raise ValueError("a store cannot be created read_only; leave one of the two out")
        resolved = Path(path).expanduser().resolve()
        store = cls(Connection(resolved, read_only=read_only, create=create))
        if not read_only:
            try:
                store._tidy_up()
            except BaseException:
                store.close()
                raise
        return store

    @property
    def path(self) -> Path:
        """Where the file is, with links resolved."""
        return self._connection.path

    @property
    def read_only(self) -> bool:
        """Whether the store was opened for reading."""
        return self._connection.read_only

    def close(self) -> None:
        """Close the file, and let others write. Closing twice is the same as once."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def database(self) -> sqlite_utils.Database:
        """The file as sqlite-utils sees it, for queries of one's own; it cannot write."""
        import sqlite_utils  # here, since its import takes 0.2 s

        return sqlite_utils.Database(reader(self.path))

    def create_run(
        self,
        *,
        name: str,
        seed: int,
        architecture: Mapping[str, Any],
        data: Mapping[str, Any],
        settings: Mapping[str, Any],
        environment: Mapping[str, Any],
        root_metrics: Mapping[str, float],
        root_snapshot: bytes,
    ) -> Run:
        """A new run and its ready root `R`. Raises InvalidValueError, StoreFullError."""
        check_run_name(name)
        check_seed(seed)
        architecture_text = documents.object_text(architecture, "architecture")
        data_text = documents.object_text(data, "data")
        settings_text = documents.object_text(settings, "settings")
        environment_text = documents.object_text(environment, "environment")
        result = make_result(
            "root", snapshot=root_snapshot, snapshot_hash=None, metrics=root_metrics
        )
        result.upload(self._connection)
        with self._connection.writing():
            now = timestamp()
            run_id = self._connection.insert(
                "run",
                uuid=str(uuid.uuid4()),
                name=name,
                seed=seed,
                architecture=architecture_text,
                data=data_text,
                environment_hash=self._document("environment", environment_text),
                created_at=now,
            )
            self._append_settings(run_id, settings_text)
            root_id = self._connection.insert(
                "node",
                run_id=run_id,
                name="R",
                structure="root",
                depth=0,
                state="ready",
                created_at=now,
            )
            result.insert(self._connection, root_id)
            self._append_event(run_id, "run", {"name": name, "seed": seed}, root_id)
            return self.run(run_id)

    def extend_run_settings(self, run_id: int, settings: Mapping[str, Any]) -> Run:
        """The run with new settings; the old ones stay in `settings_history`.

        Settings equal to the newest ones add nothing. Raises UnknownRunError, InvalidValueError.
        """
        text = documents.object_text(settings, "settings")
        with self._connection.writing():
            newest = self.run(run_id).settings
            if documents.to_text(newest, "settings") != text:
                self._append_settings(run_id, text)
                self._append_event(run_id, "settings", {"settings": dict(settings)}, None)
            return self.run(run_id)

    def add_candidates(
        self, parent_id: int, *, proposal: Mapping[str, Any], edits: Sequence[Mapping[str, Any]]
    ) -> list[Node]:
        """Queued children of a ready node, one an edit, with the proposal they come from.

        Raises UnknownNodeError, IllegalStateError, InvalidValueError.
        """
        content = documents.object_text(proposal, "proposal")
        texts = [documents.object_text(edit, f"edit {i}") for i, edit in enumerate(edits)]
        for edit in edits:
            if edit.get("structure") not in STRUCTURES:
                raise InvalidValueError(
                    f"an edit's structure is {edit.get('structure')!r}; give one of {STRUCTURES}"
                )
        if not edits:
            raise InvalidValueError("a proposal without edits has no candidates; give one or more")
        with self._connection.writing():
            parent = self.node_by_id(parent_id)
            if parent.state != "ready":
                raise IllegalStateError(
                    f"node {parent.name} is {parent.state}; only a ready node gets candidates"
                )
            proposal_id = self._connection.insert(
                "proposal",
                run_id=parent.run_id,
                parent_id=parent_id,
                content=content,
                created_at=timestamp(),
            )
            structures = [str(edit["structure"]) for edit in edits]
            names = self._new_names(parent, structures)
            for name, structure, text in zip(names, structures, texts, strict=True):
                self._connection.insert(
                    "node",
                    run_id=parent.run_id,
                    parent_id=parent_id,
                    proposal_id=proposal_id,
                    name=name,
                    structure=structure,
                    depth=parent.depth + 1,
                    edit=text,
                    state="queued",
                    created_at=timestamp(),
                )
            payload = {"parent": parent.name, "proposal": proposal_id, "nodes": names}
            self._append_event(parent.run_id, "candidates", payload, parent_id)
            return self._nodes(
                "WITH wanted AS (SELECT id FROM node WHERE proposal_id = ? AND parent_id = ?)",
                proposal_id,
                parent_id,
            )

    def set_state(self, node_id: int, state: State, error: str | None = None) -> Node:
        """The node in its new state: queued, running, failed (with its error) or cancelled.

        The state it has already is no change. Raises UnknownNodeError, IllegalStateError,
        InvalidValueError.
        """
        if state not in STATES or state == "ready":
            raise InvalidValueError(
                f"{state!r} cannot be set; give queued, running, failed or cancelled "
                "(finish makes a node ready)"
            )
        if error is not None:
            error = documents.plain_text(error, "error", longest=100_000)
        if (state == "failed" and error is None) or (state in ("queued", "running") and error):
            raise InvalidValueError(f"a {state} node and error {error!r}: give one when it failed")
        with self._connection.writing():
            node = self.node_by_id(node_id)
            if node.state == state and node.error == error:
                return node
            if node.state != state and state not in LEGAL_CHANGES[node.state]:
                legal = ", ".join(sorted(LEGAL_CHANGES[node.state])) or "nothing else"
                raise IllegalStateError(
                    f"node {node.name} is {node.state} and cannot become {state}, only {legal}"
                )
            self._change_state(node, state, error, kind="state")
            return self.node_by_id(node_id)

    def finish(
        self,
        node_id: int,
        phase: Phase,
        *,
        snapshot: bytes | None = None,
        snapshot_hash: str | None = None,
        metrics: Mapping[str, float],
        epochs: Sequence[Mapping[str, Any]],
        resamples: Sequence[float] | None,
        seconds: float,
    ) -> Node:
        """The node with the result of its phase: 'recovered' makes it ready, 'tuned' follows.

        The snapshot comes as its bytes, or as the hash of one that is stored; given both, they must
        agree. The same result again changes nothing. Raises FinishedNodeError for another one,
        IllegalStateError, InvalidValueError, UnknownNodeError, UnknownSnapshotError and
        StoreFullError.
        """
        if phase not in ("recovered", "tuned"):
            raise InvalidValueError(f"{phase!r} cannot be finished; give 'recovered' or 'tuned'")
        result = make_result(
            phase,
            snapshot=snapshot,
            snapshot_hash=snapshot_hash,
            metrics=metrics,
            epochs=epochs,
            resamples=resamples,
            seconds=seconds,
        )
        node = self.node_by_id(node_id)
        if self._is_finished(node, result):
            return node
        result.upload(self._connection)
        with self._connection.writing():
            node = self.node_by_id(node_id)
            if not self._is_finished(node, result):
                result.insert(self._connection, node_id)
                if phase == "recovered":
                    self._connection.execute(
                        "UPDATE node SET state = 'ready', error = NULL WHERE id = ?", (node_id,)
                    )
                payload = {"node": node.name, "phase": phase, "snapshot": result.snapshot_hash}
                self._append_event(node.run_id, "result", payload, node_id)
            return self.node_by_id(node_id)

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
        actor = documents.plain_text(actor, "actor", shortest=1, longest=200)
        reason = documents.plain_text(reason, "reason", longest=4_000)
        with self._connection.writing():
            parent = self.node_by_id(parent_id)
            names = self._keepable(parent, kept, suggested)
            former = self.decision_of(parent_id)
            decision_id = self._connection.insert(
                "decision",
                run_id=parent.run_id,
                parent_id=parent_id,
                newest_candidate=max(names, default=None),
                suggested=suggested,
                actor=actor,
                reason=reason,
                margin=documents.finite_or_none(margin),
                margin_low=documents.finite_or_none(margin_low),
                margin_high=documents.finite_or_none(margin_high),
                too_close=None if too_close is None else int(too_close),
                supersedes=None if former is None else former.id,
                created_at=timestamp(),
            )
            for node_id in kept:
                self._connection.insert(
                    "decision_kept", decision_id=decision_id, parent_id=parent_id, node_id=node_id
                )
            payload = {
                "decision": decision_id,
                "parent": parent.name,
                "kept": [names[node_id] for node_id in sorted(kept)],
                "suggested": None if suggested is None else names[suggested],
                "actor": actor,
                "reason": reason,
                "supersedes": None if former is None else former.id,
            }
            self._append_event(parent.run_id, "decision", payload, parent_id)
            return cast(Decision, self.decision_of(parent_id))

    def add_event(
        self, run_id: int, kind: str, payload: Mapping[str, Any], node_id: int | None = None
    ) -> Event:
        """A new line of the run's log. Raises UnknownRunError, UnknownNodeError."""
        kind = documents.plain_text(kind, "kind", shortest=1, longest=200)
        with self._connection.writing():
            self.run(run_id)
            if node_id is not None and self.node_by_id(node_id).run_id != run_id:
                raise InvalidValueError(f"node {node_id} is not in run {run_id}; name its own run")
            event_id = self._append_event(run_id, kind, payload, node_id)
            return self.events(run_id, after=event_id - 1)[0]

    def _tidy_up(self) -> None:
        """Bring in order what a writer that died has left."""
        interrupted = "WITH wanted AS (SELECT id FROM node WHERE state = 'running')"
        if self._connection.row(interrupted + " SELECT 1 FROM wanted"):
            with self._connection.writing():
                for node in self._nodes(interrupted):
                    self._change_state(node, "queued", None, kind="interrupted")
        snapshots.remove_unreferenced(self._connection)
