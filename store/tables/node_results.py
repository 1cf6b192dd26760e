"""What a phase of a node produced: checked, written once, and read."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store.errors import (
    FinishedNodeError,
    IllegalStateError,
    InvalidValueError,
    UnknownResultError,
    UnknownSnapshotError,
)
from store.records import EpochRow, JsonObject, Node, Phase
from store.sqlite import canonical_json
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.tables import events, nodes, snapshots, stored


@dataclass(frozen=True, slots=True)
class Result:
    """One phase of one node, in the form in which it is written. Equal results, equal digests."""

    phase: Phase
    snapshot_hash: str
    content: bytes | None
    metrics: dict[str, float]
    epochs: tuple[str, ...]
    resamples: str | None
    seconds: float
    digest: str


def make_result(
    phase: Phase,
    *,
    snapshot: bytes | None,
    snapshot_hash: str | None,
    metrics: Mapping[str, float],
    epochs: Sequence[JsonObject] = (),
    resamples: Sequence[float] | None = None,
    seconds: float = 0.0,
) -> Result:
    """A result that the store can hold. Raises InvalidValueError."""
    address = _address(snapshot, snapshot_hash)
    numbers = checked_metrics(metrics)
    seconds = _number(seconds, "seconds")
    if canonical_json.finite_or_none(seconds) is None or seconds < 0:
        raise InvalidValueError(f"seconds is {seconds}; give the time spent, 0 or more")
    rows = tuple(canonical_json.object_text(epoch, f"epoch {i}") for i, epoch in enumerate(epochs))
    samples = None
    if resamples is not None:
        numbers_of_resamples = [_number(item, "a resample") for item in resamples]
        samples = canonical_json.to_text(numbers_of_resamples, "resamples")
    content = canonical_json.to_text([address, numbers, rows, samples, seconds], "the result")
    digest = canonical_json.text_hash(content)
    return Result(phase, address, snapshot, numbers, rows, samples, seconds, digest)


def checked_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Measurements by name. Raises InvalidValueError for what is no number."""
    return {
        canonical_json.plain_text(name, "the name of a metric", shortest=1, longest=200): _number(
            value, f"metric {name!r}"
        )
        for name, value in metrics.items()
    }


def finish(connection: Connection, node_id: int, result: Result) -> Node:
    """The node with the result of its phase. The same result again changes nothing."""
    node = nodes.by_id(connection, node_id)
    if _is_finished(connection, node, result):
        return node
    upload(connection, result)
    with connection.writing():
        node = nodes.by_id(connection, node_id)
        if not _is_finished(connection, node, result):
            insert(connection, node_id, result)
            if result.phase == "recovered":
                connection.execute(
                    "UPDATE node SET state = 'ready', error = NULL WHERE id = ?", (node_id,)
                )
            payload: JsonObject = {
                "node": node.name, "phase": result.phase, "snapshot": result.snapshot_hash
            }  # fmt: skip
            events.append(connection, node.run_id, "result", payload, node_id)
        return nodes.by_id(connection, node_id)


def check_phase(phase: Phase) -> None:
    """Raise InvalidValueError for a phase that cannot be finished."""
    if phase not in ("recovered", "tuned"):
        raise InvalidValueError(f"{phase!r} cannot be finished; give 'recovered' or 'tuned'")


def upload(connection: Connection, result: Result) -> None:
    """Put the snapshot in, in short transactions. Raises UnknownSnapshotError."""
    if result.content is not None:
        snapshots.upload(connection, result.snapshot_hash, result.content)
    elif not snapshots.is_complete(connection, result.snapshot_hash):
        raise UnknownSnapshotError(
            f"the store has no snapshot {result.snapshot_hash!r}; give its bytes as `snapshot`"
        )


def insert(connection: Connection, node_id: int, result: Result) -> None:
    """Write everything but the snapshot's chunks. Only inside `writing`."""
    if result.content is not None:
        snapshots.complete(connection, result.snapshot_hash, len(result.content))
    snapshots.keep(connection, result.snapshot_hash)
    connection.insert(
        "result",
        node_id=node_id,
        phase=result.phase,
        snapshot_hash=result.snapshot_hash,
        seconds=result.seconds,
        resamples=result.resamples,
        digest=result.digest,
        created_at=timestamp(),
    )
    for name, value in result.metrics.items():
        nonfinite = canonical_json.number_name(value)
        connection.insert(
            "metric",
            node_id=node_id,
            phase=result.phase,
            name=name,
            value=value if nonfinite is None else None,
            nonfinite=nonfinite,
        )
    for number, epoch in enumerate(result.epochs):
        connection.insert(
            "epoch", node_id=node_id, phase=result.phase, number=number, content=epoch
        )


def row_of(connection: Connection, node_id: int, phase: Phase) -> sqlite3.Row:
    """The row of a result. Raises UnknownNodeError, UnknownResultError, InvalidValueError."""
    row = connection.row("SELECT * FROM result WHERE node_id = ? AND phase = ?", (node_id, phase))
    if row is None:
        node = nodes.by_id(connection, node_id)
        if phase not in nodes.PHASES:
            raise InvalidValueError(f"{phase!r} is no phase; the phases are {nodes.PHASES}")
        has = ", ".join(node.phases) or "none"
        raise UnknownResultError(
            f"node {node.name} is {node.state} and has no result of phase {phase!r}; it has {has}"
        )
    return row


def metrics(connection: Connection, node_id: int, phase: Phase) -> dict[str, float]:
    """What one phase of a node measured. Raises UnknownResultError where it has none."""
    row_of(connection, node_id, phase)
    rows = connection.rows(
        "SELECT * FROM metric WHERE node_id = ? AND phase = ? ORDER BY name", (node_id, phase)
    )
    return {
        row["name"]: stored.number(
            connection, row["value"], row["nonfinite"], f"{row['name']!r} of node {node_id}"
        )
        for row in rows
    }


def epochs(connection: Connection, node_id: int, phase: Phase | None = None) -> list[EpochRow]:
    """The epochs of a node's phases (or of one), in the order they were trained."""
    rows = connection.rows(
        "SELECT * FROM epoch WHERE node_id = ? AND phase = coalesce(?, phase)"
        f" ORDER BY {nodes.PHASE_ORDER}, number",
        (node_id, phase),
    )
    return [
        EpochRow(
            node_id=row["node_id"],
            phase=row["phase"],
            number=row["number"],
            values=stored.json_object(
                connection, row["content"], f"epoch {row['number']} of node {row['node_id']}"
            ),
        )
        for row in rows
    ]


def resamples(connection: Connection, node_id: int, phase: Phase) -> list[float] | None:
    """The similarities on the seeded resamples, None where the phase measured none."""
    text = row_of(connection, node_id, phase)["resamples"]
    where = f"the resamples of node {node_id} ({phase})"
    return None if text is None else stored.numbers(connection, text, where)


def snapshot_hash(connection: Connection, node_id: int, phase: Phase) -> str:
    """The address of a node's snapshot. Raises UnknownNodeError, UnknownResultError."""
    return str(row_of(connection, node_id, phase)["snapshot_hash"])


def seconds(connection: Connection, node_id: int, phase: Phase) -> float:
    """What one phase of a node took. Raises UnknownResultError where it has none."""
    return float(row_of(connection, node_id, phase)["seconds"])


def any_has(connection: Connection, address: str) -> bool:
    """Whether some node's result has this snapshot."""
    query = "SELECT 1 FROM result WHERE snapshot_hash = ?"
    return connection.row(query, (address,)) is not None


def _is_finished(connection: Connection, node: Node, result: Result) -> bool:
    """Whether this very result is stored. Raises where it cannot be."""
    if result.phase in node.phases:
        if row_of(connection, node.id, result.phase)["digest"] == result.digest:
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


def _address(snapshot: bytes | None, snapshot_hash: str | None) -> str:
    if snapshot is None:
        if snapshot_hash is None:
            raise InvalidValueError("a result needs its snapshot: give its bytes or its hash")
        return snapshot_hash
    address = snapshots.content_hash(snapshot)
    if snapshot_hash not in (None, address):
        raise InvalidValueError(
            f"the snapshot's bytes have the hash {address}, not {snapshot_hash}: they changed on "
            "their way here. Make the result again"
        )
    return address


def _number(value: float, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValueError(f"{what} is {value!r}; give a number") from None


def seconds_by_phase(connection: Connection, run_id: int) -> dict[Phase, list[float]]:
    """What the results of a run took, by phase, in the order of its nodes."""
    found: dict[Phase, list[float]] = {}
    for phase, seconds in connection.rows(
        "SELECT result.phase, result.seconds FROM result JOIN node ON node.id = result.node_id "
        "WHERE node.run_id = ? ORDER BY result.node_id, result.phase",
        (run_id,),
    ):
        found.setdefault(phase, []).append(seconds)
    return found
