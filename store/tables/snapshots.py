"""Snapshots: bytes under their own SHA-256, in rows too small to hold the lock for long."""

from __future__ import annotations

import hashlib
import time

from store.errors import (
    DamagedStoreError,
    SnapshotDamagedError,
    SnapshotFreedError,
    UnknownSnapshotError,
)
from store.sqlite.clock import timestamp
from store.sqlite.connection import Connection
from store.sqlite.schema import CHUNK_BYTES

# Rows of this size are written a third quicker than the largest ones that the schema allows.
PART_BYTES = 2**20
PARTS_A_TRANSACTION = 8  # so that the lock is never held for long
GIVE_WAY_SECONDS = 0.001  # between two: a lock goes to whoever asks first, not to who waits longest


def content_hash(content: bytes) -> str:
    """SHA-256 of the bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def is_complete(connection: Connection, snapshot_hash: str) -> bool:
    """Whether the store has all of a snapshot; of a freed one it has the first row only."""
    row = connection.row(
        "SELECT num_chunks = (SELECT count(*) FROM snapshot_chunk WHERE hash = snapshot.hash)"
        " AS is_whole FROM snapshot WHERE hash = ?",
        (snapshot_hash,),
    )
    return row is not None and bool(row["is_whole"])


def upload(connection: Connection, snapshot_hash: str, content: bytes) -> None:
    """Put the chunks of a snapshot in, a few in each transaction.

    It is there once `complete` was called, on disk for certain once that transaction is, and
    stays once a result refers to it. After an error (a full disk) the same call goes on with the
    chunks that are missing.
    """
    if is_complete(connection, snapshot_hash):
        return
    with connection.writing():
        connection.execute(
            "INSERT OR IGNORE INTO upload(hash, created_at) VALUES (?, ?)",
            (snapshot_hash, timestamp()),
        )
    view, part_bytes = memoryview(content), _part_bytes(connection, snapshot_hash, len(content))
    starts = range(0, len(content), part_bytes)
    for first in range(0, len(starts), PARTS_A_TRANSACTION):
        if first:
            time.sleep(GIVE_WAY_SECONDS)
        with connection.writing_ahead():
            for position, start in enumerate(starts[first : first + PARTS_A_TRANSACTION], first):
                connection.execute(
                    "INSERT OR IGNORE INTO snapshot_chunk(hash, position, data) VALUES (?, ?, ?)",
                    (snapshot_hash, position, view[start : start + part_bytes]),
                )


def complete(connection: Connection, snapshot_hash: str, num_bytes: int) -> None:
    """Say that all chunks of a snapshot are there. Only inside `writing`."""
    connection.execute(
        "INSERT OR IGNORE INTO snapshot(hash, num_bytes, num_chunks, created_at)"
        " VALUES (?, ?, ?, ?)",
        (snapshot_hash, num_bytes, _num_parts(num_bytes, PART_BYTES), timestamp()),
    )


def keep(connection: Connection, snapshot_hash: str) -> None:
    """Say that a result refers to a snapshot. Only inside `writing`."""
    connection.execute("DELETE FROM upload WHERE hash = ?", (snapshot_hash,))


def read(connection: Connection, snapshot_hash: str) -> bytes:
    """The bytes of a snapshot, checked against its hash.

    Raises UnknownSnapshotError, or SnapshotDamagedError naming the nodes that use it.
    """
    header = connection.row(
        "SELECT num_bytes, num_chunks FROM snapshot WHERE hash = ?", (snapshot_hash,)
    )
    if header is None:
        raise UnknownSnapshotError(
            f"the store has no snapshot {snapshot_hash!r}; take a hash from snapshot_hash(node_id, "
            "phase)"
        )
    digest = hashlib.sha256()
    chunks: list[bytes] = []
    for position in range(header["num_chunks"]):
        try:
            row = connection.row(
                "SELECT data AS part FROM snapshot_chunk WHERE hash = ? AND position = ?",
                (snapshot_hash, position),
            )
        except DamagedStoreError as error:
            raise _damaged(connection, snapshot_hash, "its pages are torn") from error
        if row is None:
            if not _is_used(connection, snapshot_hash):
                raise SnapshotFreedError(
                    f"the weights of {_users(connection, snapshot_hash)} were freed after they had "
                    "been dropped, or left out when this part of a run was packed. Make the same "
                    "candidate again from its parent"
                )
            raise _damaged(connection, snapshot_hash, f"its part {position} is missing")
        chunks.append(row["part"])
        digest.update(chunks[-1])
    if digest.hexdigest() != snapshot_hash:
        raise _damaged(connection, snapshot_hash, "its bytes have changed since they were stored")
    return b"".join(chunks)


def remove_unreferenced(connection: Connection) -> int:
    """The number of snapshots removed: those on their way in when an earlier writer ended."""
    num_removed = 0
    for (snapshot_hash,) in connection.rows("SELECT hash FROM upload"):
        if not _is_used(connection, snapshot_hash):
            _remove(connection, snapshot_hash)
            num_removed += 1
        with connection.writing():
            keep(connection, snapshot_hash)
    return num_removed


def _remove(connection: Connection, snapshot_hash: str) -> None:
    # The header first: what has one is taken to be whole. Freed results keep it.
    with connection.writing():
        connection.execute(
            "DELETE FROM snapshot WHERE hash = ?"
            " AND NOT EXISTS(SELECT 1 FROM result WHERE snapshot_hash = snapshot.hash)",
            (snapshot_hash,),
        )
    for (chunk_id,) in connection.rows(
        "SELECT id FROM snapshot_chunk WHERE hash = ?", (snapshot_hash,)
    ):
        with connection.writing():
            connection.execute("DELETE FROM snapshot_chunk WHERE id = ?", (chunk_id,))


def _is_used(connection: Connection, snapshot_hash: str) -> bool:
    """Whether any result needs the snapshot still."""
    row = connection.row(
        "SELECT 1 FROM result LEFT JOIN freed USING (node_id, phase)"
        " WHERE snapshot_hash = ? AND freed.node_id IS NULL LIMIT 1",
        (snapshot_hash,),
    )
    return row is not None


def _num_parts(num_bytes: int, part_bytes: int) -> int:
    return -(-num_bytes // part_bytes)


def _part_bytes(connection: Connection, snapshot_hash: str, num_bytes: int) -> int:
    """The size of a snapshot's parts. That of a freed one is the size that it had: its first row
    stayed, and says how many there are."""
    header = connection.row("SELECT num_chunks FROM snapshot WHERE hash = ?", (snapshot_hash,))
    if header is None or header["num_chunks"] == _num_parts(num_bytes, PART_BYTES):
        return PART_BYTES
    return CHUNK_BYTES


def _damaged(connection: Connection, snapshot_hash: str, what: str) -> SnapshotDamagedError:
    return SnapshotDamagedError(
        f"snapshot {snapshot_hash} of {_users(connection, snapshot_hash)} is damaged: {what}. "
        "Nothing was loaded; restore a copy of the store, or grow the node again from its parent"
    )


def _users(connection: Connection, snapshot_hash: str) -> str:
    users = connection.rows(
        "SELECT node.name AS name, node.run_id AS run_id, result.phase AS phase"
        " FROM result JOIN node ON node.id = result.node_id WHERE snapshot_hash = ?"
        " ORDER BY node.id LIMIT 20",
        (snapshot_hash,),
    )
    nodes = ", ".join(f"{user['name']} ({user['phase']}, run {user['run_id']})" for user in users)
    return nodes or "no node"
