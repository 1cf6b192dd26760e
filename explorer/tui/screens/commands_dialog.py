"""The command line's words for what can be done at a node, to be copied."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.widgets import OptionList

from explorer.tui.screens.dialog import Dialog, line
from explorer.tui.screens.form_widgets import PickList, PushButton
from explorer.views.as_command import Command
from explorer.views.safe_text import safe


class CommandsDialog(Dialog[str]):
    """The command that was chosen, as a shell takes it."""

    DEFAULT_CSS = "CommandsDialog { #box { width: 90; } }"

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__("Copy as a command")
        self.commands = tuple(commands)

    def body(self) -> ComposeResult:
        yield line("What the keys do here, for a shell or a script.")
        yield PickList(*map(_prompt, self.commands))

    def buttons(self) -> list[PushButton]:
        return [PushButton("Copy", "⏎", id="submit")]

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.focus()
        options.action_first()

    def fit(self, num_lines: int) -> None:
        super().fit(num_lines)
        self.query_one(PickList).styles.max_height = max(num_lines - 4, 1)

    def picked(self, place: int) -> None:
        self.dismiss(self.commands[place].text)

    def answer(self) -> str:
        return self.commands[self.query_one(PickList).highlighted or 0].text


def _prompt(command: Command) -> Text:
    shown = " ".join((command.words[0], *command.words[2:]))  # the store is the same for all
    text = Text(f"{safe(command.does, 40):<36}", "bold", no_wrap=True, overflow="ellipsis")
    return text.append(safe(shown, 80), "not bold")
