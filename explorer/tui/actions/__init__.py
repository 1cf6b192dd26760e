"""What each key does: one function a key id, by group. A widget's own keys are not among them."""

from __future__ import annotations

from explorer.tui.actions import decide, grow, nodes, replay, runs, view
from explorer.tui.actions.action import Action

ACTIONS: dict[str, Action] = {
    **decide.ACTIONS,
    **grow.ACTIONS,
    **nodes.ACTIONS,
    **replay.ACTIONS,
    **runs.ACTIONS,
    **view.ACTIONS,
}
