"""Runs of one store taken over into another, one transaction a run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from store.errors import InvalidValueError
from store.opening import open_store
from store.sqlite import formats
from store.sqlite.connection import Connection
from store.tables import hash_chain, runs, snapshots
from store.transfer.copy_run import RunCopy

Outcome = Literal["copied", "extended", "held", "refused"]
_CHUNK_EVENTS = 5_000
# What a run's log says, without what is one store's own: ids, work that started or was interrupted,
# weights that were freed.
_HISTORY = """
SELECT event.id, event.kind, event.created_at, node.name AS of_node,
  json_remove(payload, '$.decision', '$.supersedes', '$.proposal') AS payload,
  CASE kind
    WHEN 'result' THEN (SELECT digest FROM result WHERE result.node_id = event.node_id
                        AND phase = json_extract(payload, '$.phase'))
    WHEN 'candidates' THEN (SELECT group_concat(edit) FROM node child
                            WHERE child.parent_id = event.node_id
                            AND child.proposal_id = json_extract(payload, '$.proposal'))
    {evaluated}
  END AS told
FROM event LEFT JOIN node ON node.id = event.node_id
WHERE event.run_id = ? AND event.id > ? AND kind NOT IN ('interrupted', 'freed')
AND (kind <> 'state' OR json_extract(payload, '$.to') IN ('failed', 'cancelled')
     OR json_extract(payload, '$.from') IN ('failed', 'cancelled'))
ORDER BY event.id LIMIT ?
"""
_EVALUATED = """
    WHEN 'evaluation' THEN (SELECT metrics FROM evaluation WHERE evaluation.node_id = event.node_id
                            AND phase = json_extract(payload, '$.phase')
                            AND evaluation.kind = json_extract(payload, '$.kind')
                            AND settings_hash = json_extract(payload, '$.settings'))
"""


class _PartedError(Exception):
    """Both stores have of a run what the other one lacks."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of one run: `why` says it of a run that was refused."""

    uuid: str
    name: str
    outcome: Outcome
    run_id: int  # in the store that it was merged into
    num_bytes: int = 0  # of weights that were not there before
    why: str = ""


def merge(into: Path, source: Path) -> list[Merged]:
    """Takes over the runs of `source`; those that went another way in `into` are refused.

    A run is copied when `into` lacks it, extended when `into` holds its beginning, left when `into`
    holds all of it. Nothing of `into` changes or goes. After a crash, what was merged by then is
    there, and the same call does the rest. Raises the errors of TreeStore.open, StoreFullError,
    SnapshotDamagedError.
    """
    if into.exists() and source.exists() and os.path.samefile(into, source):
        raise InvalidValueError(f"{source} cannot be merged into itself; name another store")
    with (
        closing(open_store(source, read_only=True)) as theirs,
        closing(open_store(into)) as ours,
        theirs.reading(),  # one state of it, whoever writes meanwhile
    ):
        hash_chain.check(theirs)
        return [_merge_run(ours, theirs, run.id, run.uuid, run.name) for run in runs.every(theirs)]


def _merge_run(ours: Connection, theirs: Connection, run_id: int, uuid: str, name: str) -> Merged:
    there = ours.row("SELECT id FROM run WHERE uuid = ?", (uuid,))
    if there is None:
        copy = RunCopy(theirs, ours, run_id)
        num_bytes = copy.upload()
        with ours.writing():
            return Merged(uuid, name, "copied", copy.insert(), num_bytes)
    try:
        after_event = _end_of_ours(ours, there["id"], theirs, run_id)
    except _PartedError as error:
        return Merged(uuid, name, "refused", there["id"], why=str(error))
    if after_event is None:
        return Merged(uuid, name, "held", there["id"])
    copy = RunCopy(theirs, ours, run_id, after_event=after_event)
    num_bytes = copy.upload()
    with ours.writing():
        copy.insert(there["id"])
    snapshots.remove_unreferenced(ours)  # what was put in for results that are freed here
    return Merged(uuid, name, "extended", there["id"], num_bytes)


def _end_of_ours(ours: Connection, our_run: int, theirs: Connection, their_run: int) -> int | None:
    """The event of theirs up to which we have their log; None where we have all of it.

    Raises _PartedError where both went on after they had parted.
    """
    our_log, their_log = _history(ours, our_run), _history(theirs, their_run)
    last = 0
    while True:
        mine, other = next(our_log, None), next(their_log, None)
        if other is None:
            return None
        if mine is None:
            return last
        if _said(mine) != _said(other):
            break
        last = other["id"]
    parted, missing = (mine, other), other
    # A part of a run has gaps in its log: we hold it all the same if we hold all that it tells.
    for mine in our_log:
        if _said(mine) == _said(missing):
            following = next(their_log, None)
            if following is None:
                return None
            missing = following
    raise _PartedError(
        f"both stores went on after they had parted: here {_words(parted[0])}, there "
        f"{_words(parted[1])}. Keep both files, or merge into a new store"
    )


def _history(connection: Connection, run_id: int) -> Iterator[sqlite3.Row]:
    has_evaluations = connection.format_number() >= formats.WITH_EVALUATIONS
    query = _HISTORY.format(evaluated=_EVALUATED if has_evaluations else "")
    after = 0
    while rows := connection.rows(query, (run_id, after, _CHUNK_EVENTS)):
        yield from rows
        after = rows[-1]["id"]


def _said(event: sqlite3.Row) -> tuple[object, ...]:
    return tuple(event)[1:]


def _words(event: sqlite3.Row) -> str:
    return f"{event['kind']} of {event['of_node'] or 'the run'} ({event['created_at'][:19]})"
