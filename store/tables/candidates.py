"""Candidates: nodes that a proposal adds below a ready one, and the states of their work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from store.errors import IllegalStateError, InvalidValueError
from store.records import JsonObject, Node, Proposal, State, Structure
from store.sqlite import canonical_json
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import events, nodes, stored, structures

STATES = nodes.STATES
# By `set_state`; that a queued or running node becomes ready is for `node_results.finish` alone.
_LEGAL_CHANGES: dict[State, set[State]] = {
    "queued": {"running", "failed", "cancelled"},
    "running": {"queued", "failed", "cancelled"},
    "failed": {"queued"},
    "cancelled": {"queued"},
    "ready": set(),
}


def add(
    connection: Connection, parent_id: int, proposal: JsonObject, edits: Sequence[JsonObject]
) -> list[Node]:
    """Queued children of a ready node, one an edit, with the proposal they come from."""
    content = canonical_json.object_text(proposal, "proposal")
    texts = [canonical_json.object_text(edit, f"edit {i}") for i, edit in enumerate(edits)]
    wanted = [structures.check(edit.get("structure"), f"edit {i}") for i, edit in enumerate(edits)]
    if not edits:
        raise InvalidValueError("a proposal without edits has no candidates; give one or more")
    with connection.writing():
        parent = nodes.by_id(connection, parent_id)
        if parent.state != "ready":
            raise IllegalStateError(
                f"node {parent.name} is {parent.state}; only a ready node gets candidates"
            )
        proposal_id = connection.insert(
            "proposal",
            run_id=parent.run_id,
            parent_id=parent_id,
            content=content,
            created_at=timestamp(),
        )
        names = _new_names(connection, parent, wanted)
        for name, structure, text in zip(names, wanted, texts, strict=True):
            connection.insert(
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
        payload: JsonObject = {"parent": parent.name, "proposal": proposal_id, "nodes": names}
        events.append(connection, parent.run_id, "candidates", payload, parent_id)
        return nodes.select(
            connection,
            "WITH wanted AS (SELECT id FROM node WHERE proposal_id = ? AND parent_id = ?)",
            proposal_id,
            parent_id,
        )


def _new_names(connection: Connection, parent: Node, wanted: Sequence[Structure]) -> list[str]:
    counts = Counter(
        row["structure"]
        for row in connection.rows("SELECT structure FROM node WHERE parent_id = ?", (parent.id,))
    )
    names = []
    for structure in wanted:
        counts[structure] += 1
        number = "" if counts[structure] == 1 else str(counts[structure])
        names.append(f"{parent.name}.{structures.keep(connection, structure)}{number}")
    return names


def proposals(connection: Connection, parent_id: int) -> list[Proposal]:
    """The proposals made for a node, the oldest first."""
    rows = connection.rows("SELECT * FROM proposal WHERE parent_id = ? ORDER BY id", (parent_id,))
    return [
        Proposal(
            id=row["id"],
            run_id=row["run_id"],
            parent_id=row["parent_id"],
            content=stored.json_object(connection, row["content"], f"proposal {row['id']}"),
            created_at=row["created_at"],
        )
        for row in rows
    ]


def set_state(connection: Connection, node_id: int, state: State, error: str | None) -> Node:
    """The node in its new state. The state it has already is no change."""
    if state not in STATES or state == "ready":
        raise InvalidValueError(
            f"{state!r} cannot be set; give queued, running, failed or cancelled "
            "(finish makes a node ready)"
        )
    if error is not None:
        error = canonical_json.plain_text(error, "error", longest=100_000)
    if (state == "failed" and error is None) or (state in ("queued", "running") and error):
        raise InvalidValueError(f"a {state} node and error {error!r}: give one when it failed")
    with connection.writing():
        node = nodes.by_id(connection, node_id)
        if node.state == state and node.error == error:
            return node
        if node.state != state and state not in _LEGAL_CHANGES[node.state]:
            legal = ", ".join(sorted(_LEGAL_CHANGES[node.state])) or "nothing else"
            raise IllegalStateError(
                f"node {node.name} is {node.state} and cannot become {state}, only {legal}"
            )
        _change_state(connection, node, state, error, kind="state")
        return nodes.by_id(connection, node_id)


def requeue_running(connection: Connection) -> None:
    """Queue again what ran when an earlier writer ended."""
    interrupted = "WITH wanted AS (SELECT id FROM node WHERE state = 'running')"
    if connection.row(interrupted + " SELECT 1 FROM wanted"):
        with connection.writing():
            for node in nodes.select(connection, interrupted):
                _change_state(connection, node, "queued", None, kind="interrupted")


def _change_state(
    connection: Connection, node: Node, state: State, error: str | None, *, kind: str
) -> None:
    connection.execute("UPDATE node SET state = ?, error = ? WHERE id = ?", (state, error, node.id))
    payload: JsonObject = {"node": node.name, "from": node.state, "to": state, "error": error}
    events.append(connection, node.run_id, kind, payload, node.id)
