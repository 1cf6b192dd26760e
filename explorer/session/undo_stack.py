"""Which decisions can be undone and redone, read from a run's log.

An undo or redo is itself a decision that supersedes another; an event beside it says so. Nothing
is kept outside the store, so undo works after reopening too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from store import Event


@dataclass(frozen=True)
class UndoStack:
    """Ids of decisions: those that can be undone and those that can be redone, the next last."""

    undoable: tuple[int, ...] = ()
    redoable: tuple[int, ...] = ()


def undo_stack_of(events: Iterable[Event]) -> UndoStack:
    """What can be undone and redone, as a run's events tell."""
    log = [event for event in events if event.kind in ("decision", "undo", "redo")]
    # The decision comes just before the event that says what it was for.
    made_by_undo_or_redo = {e.payload["decision"] for e in log if e.kind in ("undo", "redo")}
    done: list[int] = []
    undone: list[int] = []
    for event in log:
        number = cast(int, event.payload["decision"])
        if event.kind == "decision" and number not in made_by_undo_or_redo:
            done.append(number)
            undone.clear()
        elif event.kind == "undo" and done:
            undone.append(done.pop())
        elif event.kind == "redo" and undone:
            done.append(undone.pop())
    return UndoStack(tuple(done), tuple(undone))
