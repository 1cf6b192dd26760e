"""What speaks against every figure of a run, in sight as long as the run is open."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.safe_text import safe

MOST_LINES = 2


class Banner(LinesView):
    """Doubts about the root; no lines without any."""

    DEFAULT_CSS = "Banner { height: auto; display: none; padding: 0 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._words: Sequence[str] = ()

    def show(self, words: Sequence[str]) -> None:
        """Shows these doubts, the first ones where there are many."""
        if tuple(words) == self._words:
            return
        self._words = tuple(words)
        self.display = bool(words)
        self.styles.height = MOST_LINES if words else 0
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        if not self._words:
            return []
        more = f" (and {len(self._words) - 1} more: 3 at R)" if len(self._words) > 1 else ""
        text = f"! {safe(self._words[0])}{more}"
        return [[(line, "warning")] for line in fig.wrapped(text, width, min(MOST_LINES, height))]
