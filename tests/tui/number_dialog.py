"""A dialog that is one field for a number, to try the field by."""

from __future__ import annotations

from textual.app import ComposeResult

from explorer.tui.screens.dialog import Dialog, line
from explorer.tui.screens.form_widgets import NumberInput, NumberRow


class NumberDialog(Dialog[int]):
    """A whole number from `low` to `high`."""

    def __init__(self, title: str, label: str, initial: int, low: int, high: int) -> None:
        super().__init__(title)
        self.label = label
        self.field = NumberInput(initial, low, high, id="number")

    def body(self) -> ComposeResult:
        yield line(self.label)
        yield NumberRow("", self.field)

    def on_mount(self) -> None:
        self.field.focus()

    def answer(self) -> int | None:
        return self.field.number()
