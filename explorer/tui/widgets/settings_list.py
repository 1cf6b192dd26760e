"""The settings of a run as a list to walk over, and lines that a function gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from explorer.tui.drawing import plan as drawing
from explorer.tui.drawing.cells import Line
from explorer.tui.key_bindings import bindings
from explorer.tui.widgets.lines_view import LinesView
from explorer.views.setting_views import SettingView


class Lines(LinesView):
    """Lines that a function of width and height gives."""

    def __init__(self, make: Callable[[int, int], Sequence[Line]], *, id: str) -> None:
        super().__init__(id=id)
        self._make = make

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return self._make(width, height)


class SettingsList(LinesView, can_focus=True):
    """The settings, one marked by a cursor that walks over them."""

    DEFAULT_CSS = "SettingsList { overflow-y: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("settings", {"up": "move(-1)", "down": "move(1)"}),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-1000)", show=False),
        Binding("end", "move(1000)", show=False),
    ]

    class Moved(Message):
        """Another setting is marked."""

    class Chosen(Message):
        """The marked setting was clicked."""

    def __init__(self, views: Sequence[SettingView]) -> None:
        super().__init__(id="settings")
        self.rows = drawing.setting_rows(views)
        self.cursor = next(n for n, row in enumerate(self.rows) if not isinstance(row, str))

    @property
    def marked(self) -> SettingView:
        """The setting under the cursor."""
        row = self.rows[self.cursor]
        assert not isinstance(row, str)
        return row

    def mark(self, name: str) -> None:
        """Puts the cursor on the setting of this name."""
        for place, row in enumerate(self.rows):
            if not isinstance(row, str) and row.name == name:
                self._stand_at(place)

    def show(self, views: Sequence[SettingView]) -> None:
        """Puts other values in."""
        self.rows = drawing.setting_rows(views)
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return [
            drawing.setting_line(row, width, place == self.cursor)
            for place, row in enumerate(self.rows)
        ]

    def action_move(self, step: int) -> None:
        places = [n for n, row in enumerate(self.rows) if not isinstance(row, str)]
        now = places.index(self.cursor)
        self._stand_at(places[min(max(now + step, 0), len(places) - 1)])

    def _stand_at(self, place: int) -> None:
        self.cursor = place
        self.repaint()
        top, height = self.scroll_offset.y, self.size.height
        if place - 1 < top or place >= top + height:
            middle = max(place - height // 2, 0)
            self.scroll_to(y=middle, animate=False)
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y
        if place < len(self.rows) and not isinstance(self.rows[place], str):
            if place == self.cursor:
                self.post_message(self.Chosen())
            else:
                self._stand_at(place)
