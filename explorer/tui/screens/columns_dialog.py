"""Which columns the table of nodes has."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult

from engine.contracts.metrics import BY_KEY
from explorer.tui.screens.dialog import Dialog, line
from explorer.tui.screens.form_widgets import MarkList, PushButton
from explorer.views.node_columns import CHOICES, COLUMNS


class ColumnsDialog(Dialog[tuple[str, ...]]):
    """The columns that are wanted, by their keys; none: those that fit."""

    def __init__(self, shown: Sequence[str]) -> None:
        super().__init__("Columns of the table")
        self.marked = {place for place, key in enumerate(CHOICES) if key in shown}

    def body(self) -> ComposeResult:
        yield line("Space marks a column. With none marked the table has what it has room for.")
        yield MarkList(*map(self._prompt, range(len(CHOICES))))

    def _prompt(self, place: int) -> Text:
        key = CHOICES[place]
        text = Text("☑ " if place in self.marked else "☐ ", no_wrap=True, overflow="ellipsis")
        text.append(f"{COLUMNS[key].title:<14}", "bold")
        return text.append(BY_KEY[key].name if key in BY_KEY else _ABOUT[key])

    def buttons(self) -> list[PushButton]:
        return [PushButton("Show", "⏎", id="submit")]

    def on_mount(self) -> None:
        self.query_one(MarkList).focus()

    def fit(self, num_lines: int) -> None:
        super().fit(num_lines)
        self.query_one(MarkList).styles.max_height = max(num_lines - 4, 1)

    def picked(self, place: int) -> None:
        self.marked ^= {place}
        self.query_one(MarkList).replace_option_prompt_at_index(place, self._prompt(place))

    def answer(self) -> tuple[str, ...]:
        return tuple(CHOICES[place] for place in sorted(self.marked))


_ABOUT = {"structure": "what was removed", "state": "how the node stands"}
