"""The line below the tree: what makes sense now, at the left; where one is, at the right."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual import events

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.hints import Hint
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe

_GAP, _NAME_CELLS = 2, 30


class HintLine(LinesView):
    """A hint, a place, and what works. A click on the hint does what its first key does."""

    DEFAULT_CSS = "HintLine { height: 1; padding: 0 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.hint, self._name, self._work = Hint(), "", ""

    def show(self, hint: Hint, name: str, work: str = "") -> None:
        """Shows these: of what works there is a word wherever there is no pane for it, of the
        place where there is room."""
        if (hint, name, work) != (self.hint, self._name, self._work):
            self.hint, self._name, self._work = hint, name, work
            self.repaint()

    def show_place(self, name: str) -> None:
        """Another place beside the same hint."""
        self.show(self.hint, name, self._work)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        right = fig.cut(safe(self._work, 40), width)
        place = f"at {fitted_name(self._name, _NAME_CELLS)}" if self._name else ""
        if not right and cell_len(self.hint.text) + _GAP + cell_len(place) <= width:
            right = place
        room = spare = width - cell_len(right)
        room -= _GAP if right else 0
        pieces: list[tuple[str, str]] = []
        for text, is_key in self.hint.pieces:
            if room > 0:
                cut = fig.cut(text, room)
                room -= cell_len(cut)
                pieces.append((cut, "title" if is_key else "dim"))
        gap = spare - sum(cell_len(text) for text, _ in pieces)
        return [[*pieces, (" " * gap, ""), (right, "dim")]]

    async def on_click(self, event: events.Click) -> None:
        if self.hint.key_id and event.x <= cell_len(self.hint.text):
            await self.run_action(f"app.press({self.hint.key_id!r})")
