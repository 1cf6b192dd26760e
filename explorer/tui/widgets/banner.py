"""What speaks against every figure of a run, in sight as long as the run is open."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.safe_text import safe

MOST_LINES = 2


class Banner(LinesView):
    """Doubts about the root, and which images decide where that is not usual; no lines without."""

    DEFAULT_CSS = "Banner { height: auto; display: none; padding: 0 1; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._words: Sequence[str] = ()
        self._told = ""

    def show(self, words: Sequence[str], told: str = "") -> None:
        """Shows these doubts, the first ones where there are many, and in a line what else is told
        of all figures."""
        if (tuple(words), told) == (self._words, self._told):
            return
        self._words, self._told = tuple(words), told
        self.display = bool(words or told)
        self.styles.height = (MOST_LINES if words else 0) + (1 if told else 0)
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        told: list[Line] = [[(fig.cut(self._told, width), "dim")]] if self._told else []
        if not self._words:
            return told
        more = f" (and {len(self._words) - 1} more: 3 at R)" if len(self._words) > 1 else ""
        text = f"! {safe(self._words[0])}{more}"
        lines = fig.wrapped(text, width, min(MOST_LINES, height))
        return [*([(line, "warning")] for line in lines), *told]
