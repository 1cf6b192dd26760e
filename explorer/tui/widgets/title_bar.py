"""The first line: what is open, how far it got, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.tui.drawing.title import TitleView, parts_of, title_line
from explorer.tui.widgets.lines_view import Line, LinesView


class TitleBar(LinesView):
    """One line: the run at the left, its standing at the right."""

    DEFAULT_CSS = """
    TitleBar {
        height: 1;
        background: $secondary;
        &:ansi { background: ansi_default; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._parts = parts_of(TitleView())

    def show(self, view: TitleView) -> None:
        """Shows it."""
        parts = parts_of(view)
        if parts != self._parts:
            self._parts = parts
            self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return [title_line(*self._parts, width)]
