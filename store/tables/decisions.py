"""Decisions on candidates: a chain for each parent, in which nothing is overwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import cast

from store.errors import IllegalStateError, InvalidValueError, UnkeepableNodeError
from store.records import Decision, JsonObject, Node
from store.sqlite import canonical_json
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection, SqlValue
from store.tables import events, nodes

_DECISIONS = """
SELECT decision.*,
  (SELECT json_group_array(id) FROM
    (SELECT id FROM node WHERE node.parent_id = decision.parent_id
     AND node.run_id = decision.run_id AND node.id <= decision.newest_candidate
     ORDER BY id)) AS candidates,
  (SELECT json_group_array(node_id) FROM
    (SELECT node_id FROM decision_kept WHERE decision_id = decision.id
     ORDER BY node_id)) AS kept_ids,
  (SELECT node.run_id FROM node WHERE node.id = decision.parent_id) AS parents_run
FROM decision
"""


def of_run(connection: Connection, run_id: int, after: int = 0) -> list[Decision]:
    """All decisions of a run with an id greater than `after`, superseded ones included, the oldest
    first."""
    return _select(
        connection,
        " WHERE decision.run_id = ? AND decision.id > ? ORDER BY decision.id",
        run_id,
        after,
    )


def by_id(connection: Connection, decision_id: int) -> Decision:
    """The decision of that id. Raises InvalidValueError."""
    for found in _select(connection, " WHERE decision.id = ?", decision_id):
        return found
    raise InvalidValueError(f"the store has no decision {decision_id!r}; see decisions(run_id)")


def newest_of(connection: Connection, parent_id: int) -> Decision | None:
    """The newest decision on a node's candidates, None while there is none."""
    newest = " WHERE decision.parent_id = ? ORDER BY decision.id DESC LIMIT 1"
    return next(iter(_select(connection, newest, parent_id)), None)


def decide(
    connection: Connection,
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
    """The decision on a node's candidates; it supersedes the one before."""
    actor, reason = _checked(actor, reason)
    with connection.writing():
        parent = nodes.by_id(connection, parent_id)
        names = _keepable(connection, parent, kept, suggested)
        former = newest_of(connection, parent_id)
        decision_id = connection.insert(
            "decision",
            run_id=parent.run_id,
            parent_id=parent_id,
            newest_candidate=max(names, default=None),
            suggested=suggested,
            actor=actor,
            reason=reason,
            margin=canonical_json.finite_or_none(margin),
            margin_low=canonical_json.finite_or_none(margin_low),
            margin_high=canonical_json.finite_or_none(margin_high),
            too_close=None if too_close is None else int(too_close),
            supersedes=None if former is None else former.id,
            created_at=timestamp(),
        )
        for node_id in kept:
            connection.insert(
                "decision_kept", decision_id=decision_id, parent_id=parent_id, node_id=node_id
            )
        payload: JsonObject = {
            "decision": decision_id,
            "parent": parent.name,
            "kept": [names[node_id] for node_id in sorted(kept)],
            "suggested": None if suggested is None else names[suggested],
            "actor": actor,
            "reason": reason,
            "supersedes": None if former is None else former.id,
        }
        events.append(connection, parent.run_id, "decision", payload, parent_id)
        return by_id(connection, decision_id)


def undecide(connection: Connection, parent_id: int, actor: str, reason: str) -> Decision:
    """A decision that makes a node's candidates undecided again; it supersedes the newest one."""
    actor, reason = _checked(actor, reason)
    with connection.writing():
        parent, former = nodes.by_id(connection, parent_id), newest_of(connection, parent_id)
        if former is None or not former.candidates:
            raise IllegalStateError(
                f"nothing is decided at node {parent.name}; decide before undoing it"
            )
        decision_id = connection.insert(
            "decision",
            run_id=parent.run_id,
            parent_id=parent_id,
            newest_candidate=None,  # it decides on none of them
            actor=actor,
            reason=reason,
            supersedes=former.id,
            created_at=timestamp(),
        )
        payload: JsonObject = {
            "decision": decision_id, "parent": parent.name, "kept": [], "suggested": None,
            "actor": actor, "reason": reason, "supersedes": former.id, "undecided": True,
        }  # fmt: skip
        events.append(connection, parent.run_id, "decision", payload, parent_id)
        return by_id(connection, decision_id)


def _checked(actor: str, reason: str) -> tuple[str, str]:
    return (
        canonical_json.plain_text(actor, "actor", shortest=1, longest=200),
        canonical_json.plain_text(reason, "reason", longest=4_000),
    )


def _keepable(
    connection: Connection, parent: Node, kept: Sequence[int], suggested: int | None
) -> dict[int, str]:
    """The names of the parent's children by id. Raises UnkeepableNodeError."""
    children = nodes.children(connection, parent.id)
    names = {child.id: child.name for child in children}
    ready = {child.id for child in children if child.state == "ready"}
    wrong = [node_id for node_id in kept if node_id not in ready]
    if suggested is not None and suggested not in names:
        wrong.append(suggested)
    if wrong or len(set(kept)) < len(kept):
        described = ", ".join(f"{child.name} (id {child.id}, {child.state})" for child in children)
        raise UnkeepableNodeError(
            f"node {parent.name} cannot keep or suggest {wrong or list(kept)}; give ready "
            f"candidates of it, each once. It has {described or 'none'}"
        )
    return names


def _select(connection: Connection, condition: str, *parameters: SqlValue) -> list[Decision]:
    rows = connection.rows(_DECISIONS + condition, parameters)
    candidates = _ids([row["candidates"] for row in rows])
    kept = _ids([row["kept_ids"] for row in rows])
    found = [_decision(*parts) for parts in zip(rows, candidates, kept, strict=True)]
    for row, decision in zip(rows, found, strict=True):
        if (wrong := _why_impossible(decision, row["parents_run"])) is not None:
            raise connection.damaged(f"decision {decision.id} {wrong}")
    return found


def _why_impossible(decision: Decision, parents_run: int | None) -> str | None:
    """What is wrong with a decision as a row tells it; None where it can have been made."""
    if decision.run_id != parents_run:
        return f"is on node {decision.parent_id}, which is not in its run"
    if not set(decision.kept) <= set(decision.candidates):
        return f"keeps nodes that are no candidates of its parent: {decision.kept[:5]}"
    if decision.supersedes is not None and decision.supersedes >= decision.id:
        return f"supersedes decision {decision.supersedes}, which is no earlier one"
    return None


def _ids(texts: list[str]) -> list[list[int]]:
    return cast(list[list[int]], canonical_json.from_texts(texts))


def _decision(row: sqlite3.Row, candidates: list[int], kept: list[int]) -> Decision:
    return Decision(
        id=row["id"],
        run_id=row["run_id"],
        parent_id=row["parent_id"],
        candidates=tuple(candidates),
        kept=tuple(kept),
        suggested=row["suggested"],
        actor=row["actor"],
        reason=row["reason"],
        margin=row["margin"],
        margin_low=row["margin_low"],
        margin_high=row["margin_high"],
        too_close=None if row["too_close"] is None else bool(row["too_close"]),
        supersedes=row["supersedes"],
        created_at=row["created_at"],
    )
