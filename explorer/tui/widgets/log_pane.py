"""The log: what happened, newest last, each in as many lines as it takes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from itertools import accumulate
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.strip import Strip

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import LinesView
from explorer.views.safe_text import safe

MOST_ENTRIES = 1_000
_CLOCK, _LEAST_ROOM = 10, 12  # cells of the time of day, and of a text at the least


class LogPane(LinesView, can_focus=True):
    """The last entries with their time of day; follows the end unless scrolled away from it."""

    DEFAULT_CSS = "LogPane { overflow-y: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._entries: deque[tuple[str, str]] = deque()  # time of day, text
        self._heights: deque[int] = deque()  # lines of each
        self._rows: list[tuple[str, str]] = []  # the lines, with the time before the first of each
        self._room = 0  # cells of a text
        self._follows = True

    def add(self, lines: Iterable[tuple[float, str]]) -> None:
        """Adds entries, each with its time in seconds since the epoch."""
        dropped = 0
        for at, line in lines:
            if len(self._entries) == MOST_ENTRIES:
                self._entries.popleft()
                dropped += self._heights.popleft()
            clock = time.strftime("%H:%M:%S  ", time.localtime(at))
            self._entries.append((clock, safe(line)))
            self._wrap(*self._entries[-1])
        del self._rows[:dropped]
        self._measure()
        if self._follows:
            self._to_end()
        elif dropped:  # what is being read stays where it is
            self._to(self.scroll_offset.y - dropped)
        self.refresh()

    def clear(self) -> None:
        """Forgets every entry: another run's come."""
        self._entries.clear()
        self._heights.clear()
        self._rows, self._follows = [], True
        self._measure()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        place, width = self.scroll_offset.y + y, self.size.width
        if place >= len(self._rows):
            return Strip.blank(width, self._style(""))
        clock, text = self._rows[place]
        segments = [Segment(clock, self._style("dim")), Segment(text, self._style(""))]
        return Strip(segments).adjust_cell_length(width, self._style(""))

    def _wrap(self, clock: str, text: str) -> None:
        texts = fig.wrapped(text, self._room) or [""]
        self._heights.append(len(texts))
        self._rows += zip((clock, *[" " * _CLOCK] * (len(texts) - 1)), texts, strict=True)

    def _build(self) -> None:
        room = max(self.size.width - self.styles.scrollbar_size_vertical - _CLOCK, _LEAST_ROOM)
        if room == self._room:
            return
        top, follows = self._entry_at(self.scroll_offset.y), self._follows
        self._room, self._rows = room, []
        self._heights.clear()
        for clock, text in self._entries:
            self._wrap(clock, text)
        self._measure()
        if not follows:  # what is being read stays in sight
            self._to(sum(list(self._heights)[:top]))

    def _entry_at(self, row: int) -> int:
        return sum(end <= row for end in accumulate(self._heights))

    def _measure(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))

    def _to(self, row: int) -> None:
        self.scroll_to(y=row, animate=False, force=True, immediate=True)

    def _to_end(self) -> None:
        self._to(self.max_scroll_y)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size.height:
            self._follows = round(new_value) >= self.max_scroll_y

    def on_resize(self, event: events.Resize) -> None:
        follows = self._follows
        super().on_resize(event)
        if follows:
            self._to_end()
