"""The log: what happened, newest last."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from explorer.tui.widgets.lines_view import LinesView
from explorer.views.safe_text import safe

MOST_LINES = 1_000


class LogPane(LinesView, can_focus=True):
    """The last lines with their time of day; follows the end unless scrolled away from it."""

    DEFAULT_CSS = "LogPane { overflow-x: auto; overflow-y: auto; scrollbar-size-horizontal: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: deque[tuple[str, str]] = deque(maxlen=MOST_LINES)  # time of day, text
        self._follows = True

    def add(self, lines: Iterable[tuple[float, str]]) -> None:
        """Adds lines, each with its time in seconds since the epoch."""
        before, count = len(self._lines), 0
        for at, line in lines:
            self._lines.append((time.strftime("%H:%M:%S", time.localtime(at)), safe(line)))
            count += 1
        dropped = before + count - len(self._lines)
        self._build()
        if self._follows:
            self._to_end()
        elif dropped:  # what is being read stays where it is
            self.scroll_to(y=self.scroll_offset.y - dropped, animate=False, force=True,
                           immediate=True)  # fmt: skip
        self.refresh()

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width = self.size.width
        if top + y >= len(self._lines):
            return Strip.blank(width, self._style(""))
        clock, text = self._lines[top + y]
        segments = [Segment(f"{clock}  ", self._style("dim")), Segment(text, self._style(""))]
        return Strip(segments).crop_extend(left, left + width, self._style(""))

    def _build(self) -> None:
        widest = max((cell_len(text) + 10 for _, text in self._lines), default=0)
        self.virtual_size = Size(widest, len(self._lines))

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True, immediate=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size.height:
            self._follows = round(new_value) >= self.max_scroll_y

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        if self._follows:
            self._to_end()
