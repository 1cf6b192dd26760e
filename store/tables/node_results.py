"""What a phase of a node produced, checked and in the form in which it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.errors import InvalidValueError, UnknownSnapshotError
from store.records import Phase
from store.sqlite import canonical_json as documents
from store.sqlite.connection import Connection
from store.tables import snapshots


@dataclass(frozen=True, slots=True)
class Result:
    """One phase of one node: written once. Equal results have equal digests."""

    phase: Phase
    snapshot_hash: str
    content: bytes | None
    metrics: dict[str, float]
    epochs: tuple[str, ...]
    resamples: str | None
    seconds: float
    digest: str

    def upload(self, connection: Connection) -> None:
        """Put the snapshot in, in short transactions. Raises UnknownSnapshotError."""
        if self.content is not None:
            snapshots.upload(connection, self.snapshot_hash, self.content)
        elif not snapshots.is_complete(connection, self.snapshot_hash):
            raise UnknownSnapshotError(
                f"the store has no snapshot {self.snapshot_hash!r}; give its bytes as `snapshot`"
            )

    def insert(self, connection: Connection, node_id: int) -> None:
        """Write everything but the snapshot's chunks. Only inside `writing`."""
        if self.content is not None:
            snapshots.complete(connection, self.snapshot_hash, len(self.content))
        snapshots.keep(connection, self.snapshot_hash)
        connection.insert(
            "result",
            node_id=node_id,
            phase=self.phase,
            snapshot_hash=self.snapshot_hash,
            seconds=self.seconds,
            resamples=self.resamples,
            digest=self.digest,
            created_at=snapshots.timestamp(),
        )
        for name, value in self.metrics.items():
            nonfinite = documents.number_name(value)
            connection.insert(
                "metric",
                node_id=node_id,
                phase=self.phase,
                name=name,
                value=value if nonfinite is None else None,
                nonfinite=nonfinite,
            )
        for number, epoch in enumerate(self.epochs):
            connection.insert(
                "epoch", node_id=node_id, phase=self.phase, number=number, content=epoch
            )


def make_result(
    phase: Phase,
    *,
    snapshot: bytes | None,
    snapshot_hash: str | None,
    metrics: Mapping[str, float],
    epochs: Sequence[Mapping[str, Any]] = (),
    resamples: Sequence[float] | None = None,
    seconds: float = 0.0,
) -> Result:
    """A result that the store can hold. Raises InvalidValueError."""
    address = _address(snapshot, snapshot_hash)
    numbers = {
        documents.plain_text(name, "the name of a metric", shortest=1, longest=200): _number(
            value, f"metric {name!r}"
        )
        for name, value in metrics.items()
    }
    seconds = _number(seconds, "seconds")
    if documents.finite_or_none(seconds) is None or seconds < 0:
        raise InvalidValueError(f"seconds is {seconds}; give the time spent, 0 or more")
    rows = tuple(documents.object_text(epoch, f"epoch {i}") for i, epoch in enumerate(epochs))
    samples = (
        None
        if resamples is None
        else documents.to_text([_number(item, "a resample") for item in resamples], "resamples")
    )
    content = documents.to_text([address, numbers, rows, samples, seconds], "the result")
    digest = documents.text_hash(content)
    return Result(phase, address, snapshot, numbers, rows, samples, seconds, digest)


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


def _number(value: Any, what: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValueError(f"{what} is {value!r}; give a number") from None
