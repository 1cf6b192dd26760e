"""What the app does when the session tells of something: a toast, a dialog, going along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explorer.tui.context import Context
from explorer.views.event_messages import line_of

# What helps against an error, by its name.
REMEDIES = {
    "StoreFullError": "make room on the disk, then try again: what was measured waits in the spool",
    "StoreLockedError": "close the other program that writes this store, then try again",
    "JobFailedError": "see the worker's log in the spool folder, then try again",
    "CandidatesFailedError": "g on the parent tries again; e makes another candidate instead",
}


def on_event(at: Context, event: Mapping[str, Any]) -> None:
    """Answers one event."""
    kind = event["event"]
    if kind == "problem":
        at.start(_show_problem(at, event), group="problems")
    elif kind == "decided" and event["actor"] != "user":
        _follow(at, event["parent"], event["kept"])
    elif kind == "waiting":
        at.notify(f"{event['parent']}: both candidates are measured")
        if at.state.config.bell:
            at.app.bell()
    elif kind in ("stopped", "exhausted", "note", "retrying"):
        at.notify(line_of(event) or "", "warning" if kind == "retrying" else "information")


def _follow(at: Context, parent: str, kept: str) -> None:
    """Goes along with a decision that was made without the person, if they look there."""
    state = at.state
    near = state.selected == parent or state.selected.rpartition(".")[0] == parent
    if state.follow and near and state.moment is None and kept in state.shown:
        at.screen.select(kept)


async def _show_problem(at: Context, event: Mapping[str, Any]) -> None:
    """A dialog about work that failed; the app stays."""
    node = event["node"]
    remedy = REMEDIES.get(event["kind"], "g on the node tries again; the log has the details")
    if event.get("detail"):
        remedy = "this is a bug of ours: please report it with the details below"
    title = f"{node}: the work failed"
    if await at.show_error(title, event["cause"], remedy, retry=True, detail=event.get("detail")):
        _retry(at, node)


def _retry(at: Context, name: str) -> None:
    """Takes up failed work where it ended."""
    if (steering := at.steering()) is None:
        return
    node = steering.session.node(name)
    again = node if node.state == "ready" else steering.store.node_by_id(node.parent_id or 0)
    at.run_or_notify(lambda: steering.grow(again))
