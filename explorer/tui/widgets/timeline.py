"""The timeline of a replay: where in the run's history the screen stands."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events
from textual.message import Message

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.safe_text import safe

_LEAST_RAIL = 5  # cells


class Timeline(LinesView):
    """One or two lines; a click or drag on the rail asks for another moment."""

    DEFAULT_CSS = "Timeline { height: 2; }"

    class Moved(Message):
        """A moment was asked for, counted from 0."""

        def __init__(self, position: int) -> None:
            super().__init__()
            self.position = position

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: tuple[int, int, str, bool, bool] = (0, 0, "", True, False)
        self._rail = (0, 0)  # its first column and its cells
        self._dragged = False

    def show(
        self, position: int, count: int, label: str, live: bool = False, playing: bool = False
    ) -> None:
        """Shows moment `position` (from 0) of `count`; `label` says what happened in it."""
        if (position, count, label, live, playing) != self._shown:
            self._shown = position, count, label, live, playing
            self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        position, count, label, live, playing = self._shown
        position = min(max(position, 0), max(count - 1, 0))
        lead = "▶ " if playing else "◀ "
        tail = f" {position + 1 if count else 0}/{count}" + ("  ● live" if live else "")
        said = safe(label)
        after = f"  {said}" if height == 1 and said else ""
        # On one line the words get what a rail of a third leaves them.
        room = width - cell_len(lead) - cell_len(tail)
        after = fig.cut(after, max(room - max(width // 3, _LEAST_RAIL), 0))
        cells = max(room - cell_len(after), 0)
        self._rail = (cell_len(lead), cells)
        place = round(position * (cells - 1) / (count - 1)) if count > 1 and cells else 0
        line: Line = [
            (lead, "good" if playing else ""),
            ("─" * min(place, cells), "bar"),
            ("●" * min(cells, 1), "key"),
            ("─" * max(cells - place - 1, 0), "dim"),
            (tail, "good" if live else ""),
            (after, "dim"),
        ]
        return [line, [(fig.cut(said, width), "dim")]][:height]

    # ------------------------------------------------------------ the mouse

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragged = True
        self.capture_mouse()
        self._ask(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged:
            self._ask(event)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self._dragged = False
        self.release_mouse()

    def _ask(self, event: events.MouseEvent) -> None:
        count, (first, cells) = self._shown[1], self._rail
        if count < 1 or cells < 2:
            return
        column = event.x - self.gutter.left - first
        position = round(min(max(column / (cells - 1), 0.0), 1.0) * (count - 1))
        if position != self._shown[0]:
            self.post_message(self.Moved(position))
