"""What a stored event tells beside its kind, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.codec import FormatError, decode
from explorer.session.documents import UnreadableRowError
from store import Event


@dataclass(frozen=True)
class LogPayload:
    """Each kind of event fills some of these: `run` the name; `candidates` parent, proposal and
    nodes; `result` the phase; `decision` all about it; `tag`, `note` and `drop` node, tag, text and
    on; `state` where a node came from, what it is now, and its error."""

    name: str = ""
    parent: str = ""
    proposal: int = 0
    nodes: tuple[str, ...] = ()
    phase: str = ""
    decision: int = 0
    kept: tuple[str, ...] = ()
    actor: str = ""
    reason: str = ""
    undecided: bool = False
    node: str = ""
    tag: str = ""
    text: str = ""
    on: bool = True
    came_from: str = ""
    to: str = ""
    error: str | None = None


def payload_of(event: Event) -> LogPayload:
    """What an event that the store itself wrote tells. Raises UnreadableRowError for any other."""
    given = dict(event.payload)
    try:
        return decode(LogPayload, {**given, "came_from": given.get("from", "")}, event.kind)
    except FormatError as error:
        raise unreadable_line(event, error) from error


def unreadable_line(event: Event, why: object) -> UnreadableRowError:
    """The error for a line of the log that cannot have been written here."""
    return UnreadableRowError(f"line {event.id} of the log ({event.kind[:40]})", why)
