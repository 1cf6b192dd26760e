"""Going home: a step back for each press, until the tree has the keys again."""

from __future__ import annotations

from explorer.tui.actions import replay
from explorer.tui.context import Context


def home(at: Context) -> None:
    """Leaves what one is in: a pane, a tab over the card, the past, a search, the table. Where it
    is none of them, the selected node comes into view."""
    screen, state = at.screen, at.state
    front = screen.view_in_front()
    if not front.has_focus:
        front.focus()
    elif screen.has_class("-stacked") and screen.has_class("-tabs"):
        screen.remove_class("-tabs")
    elif state.moment is not None or state.playing:
        replay.go_to(at, None)
    elif screen.filter_text:
        screen.set_filter("")
    elif front.id == "table" and not screen.has_class("-tiny"):
        screen.show_view("tree")
    elif front.selected is not None:
        front.select(front.selected)
