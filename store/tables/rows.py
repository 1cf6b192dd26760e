"""The rows behind a store's writing methods, and what may be written. Only inside `writing`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from store.errors import (
    FinishedNodeError,
    IllegalStateError,
    InvalidValueError,
    UnkeepableNodeError,
)
from store.records import Node, State
from store.sqlite import canonical_json as documents
from store.tables import hash_chain as seals
from store.tables.node_results import Result
from store.tables.queries import TreeReader
from store.tables.snapshots import timestamp

STRUCTURES = ("layer", "filter", "head")
STATES: tuple[State, ...] = get_args(State)
# By `set_state`; that a queued or running node becomes ready is for `finish` alone.
LEGAL_CHANGES: dict[State, set[State]] = {
    "queued": {"running", "failed", "cancelled"},
    "running": {"queued", "failed", "cancelled"},
    "failed": {"queued"},
    "cancelled": {"queued"},
    "ready": set(),
}
_LARGEST_INTEGER = 2**63 - 1


class TreeWriter(TreeReader):
    """What the writing methods of a store have in common."""

    def _append_event(
        self, run_id: int, kind: str, payload: Mapping[str, Any], node_id: int | None
    ) -> int:
        """A new line of the log, after the rows that it tells of: they are sealed with it."""
        event_id = self._connection.insert(
            "event",
            run_id=run_id,
            node_id=node_id,
            kind=kind,
            payload=documents.object_text(payload, "payload"),
            created_at=timestamp(),
        )
        seals.seal(self._connection, event_id)
        return event_id

    def _append_settings(self, run_id: int, text: str) -> None:
        self._connection.insert(
            "run_settings",
            run_id=run_id,
            settings_hash=self._document("settings", text),
            created_at=timestamp(),
        )

    def _document(self, table: str, text: str) -> str:
        """The hash of a document, which is stored once however many runs share it."""
        address = documents.text_hash(text)
        self._connection.execute(
            f"INSERT OR IGNORE INTO {table}(hash, json) VALUES (?, ?)", (address, text)
        )
        return address

    def _change_state(self, node: Node, state: State, error: str | None, *, kind: str) -> None:
        self._connection.execute(
            "UPDATE node SET state = ?, error = ? WHERE id = ?", (state, error, node.id)
        )
        payload = {"node": node.name, "from": node.state, "to": state, "error": error}
        self._append_event(node.run_id, kind, payload, node.id)

    def _new_names(self, parent: Node, structures: Sequence[str]) -> list[str]:
        counts = Counter(
            row["structure"]
            for row in self._connection.rows(
                "SELECT structure FROM node WHERE parent_id = ?", (parent.id,)
            )
        )
        names = []
        for structure in structures:
            counts[structure] += 1
            number = "" if counts[structure] == 1 else str(counts[structure])
            names.append(f"{parent.name}.{structure[0].upper()}{number}")
        return names

    def _is_finished(self, node: Node, result: Result) -> bool:
        """Whether this very result is stored. Raises where it cannot be."""
        if result.phase in node.phases:
            if self._result(node.id, result.phase)["digest"] == result.digest:
                return True
            raise FinishedNodeError(
                f"node {node.name} has a {result.phase} result already, and this one differs. "
                "Results never change; add a candidate to try again"
            )
        legal = ("queued", "running") if result.phase == "recovered" else ("ready",)
        if node.state not in legal or node.parent_id is None:
            raise IllegalStateError(
                f"node {node.name} ({node.structure}) is {node.state}; a {result.phase} result is "
                f"for a candidate that is {' or '.join(legal)}"
            )
        return False

    def _keepable(self, parent: Node, kept: Sequence[int], suggested: int | None) -> dict[int, str]:
        """The names of the parent's children by id. Raises UnkeepableNodeError."""
        children = self.children(parent.id)
        names = {child.id: child.name for child in children}
        ready = {child.id for child in children if child.state == "ready"}
        wrong = [node_id for node_id in kept if node_id not in ready]
        if suggested is not None and suggested not in names:
            wrong.append(suggested)
        if wrong or len(set(kept)) < len(kept):
            described = ", ".join(
                f"{child.name} (id {child.id}, {child.state})" for child in children
            )
            raise UnkeepableNodeError(
                f"node {parent.name} cannot keep or suggest {wrong or list(kept)}; give ready "
                f"candidates of it, each once. It has {described or 'none'}"
            )
        return names


def check_seed(seed: int) -> None:
    """Raise InvalidValueError where SQLite could not hold the seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= _LARGEST_INTEGER:
        raise InvalidValueError(
            f"seed is {seed!r}; give a whole number from 0 to {_LARGEST_INTEGER}"
        )


def check_run_name(name: str) -> None:
    """Raise InvalidValueError for a name that is empty, too long, or leads out of a folder."""
    documents.plain_text(name, "the run's name", shortest=1, longest=200)
    if ".." in name.replace("\\", "/").split("/"):
        raise InvalidValueError(f"the run's name {name!r} leads out of a folder; leave out '..'")
