"""Rows that a store holds soundly and that say what no version of this program would write."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.contracts.edits import FILTER, LAYER
from explorer.session.documents import RunDocument, UnreadableRowError, edit_of
from explorer.session.log_payload import payload_of
from store import Event, Run, StoreError, TreeStore
from store.audit.verify import Finding

_KINDS_READ = (
    "run", "candidates", "result", "decision", "state", "tag", "note", "drop", "freed",
)  # fmt: skip
_EVENTS_AT_ONCE = 5_000


def unreadable_rows(path: Path) -> Iterator[Finding]:
    """What a check of rows and hashes does not see: documents of other forms than ours.

    Nothing for a store that cannot be opened; why, its own check tells.
    """
    try:
        with TreeStore.open(path, read_only=True) as store:
            for run in store.runs():
                yield from _of_run(store, run)
    except StoreError as error:
        yield Finding("document", f"it cannot be opened: {error}")


def _of_run(store: TreeStore, run: Run) -> Iterator[Finding]:
    try:
        RunDocument.of(run)
    except UnreadableRowError as error:
        yield Finding("document", str(error))
    for node in store.nodes(run.id):
        if node.structure not in (LAYER, FILTER) and "filters" not in (node.edit or {}):
            continue  # another program may know it
        try:
            edit_of(node)
        except UnreadableRowError as error:
            yield Finding("edit", str(error), ((run.id, node.name),))
    for event in _events(store, run.id):
        try:
            if event.kind in _KINDS_READ:
                payload_of(event)
        except UnreadableRowError as error:
            yield Finding("log", str(error))


def _events(store: TreeStore, run_id: int) -> Iterator[Event]:
    after = 0
    while found := store.events(run_id, after, _EVENTS_AT_ONCE):
        yield from found
        after = found[-1].id
