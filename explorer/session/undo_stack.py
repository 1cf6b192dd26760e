"""Which decisions can be undone and redone, read from a run's log.

An undo or redo is itself a decision that supersedes another; an event beside it says so. Nothing
is kept outside the store, so undo works after reopening too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from explorer.session.log_payload import payload_of
from store import Event

_KINDS = ("decision", "undo", "redo")


@dataclass(frozen=True)
class UndoStack:
    """Ids of decisions: those that can be undone and those that can be redone, the next last."""

    undoable: tuple[int, ...] = ()
    redoable: tuple[int, ...] = ()


def undo_stack_of(events: Iterable[Event]) -> UndoStack:
    """What can be undone and redone, as a run's events tell."""
    log = [(e.kind, payload_of(e).decision) for e in events if e.kind in _KINDS]
    # The decision comes just before the event that says what it was for.
    made_by_undo_or_redo = {number for kind, number in log if kind != "decision"}
    done: list[int] = []
    undone: list[int] = []
    for kind, number in log:
        if kind == "decision" and number not in made_by_undo_or_redo:
            done.append(number)
            undone.clear()
        elif kind == "undo" and done:
            undone.append(done.pop())
        elif kind == "redo" and undone:
            done.append(undone.pop())
    return UndoStack(tuple(done), tuple(undone))
