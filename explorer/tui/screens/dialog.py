"""A dialog: a box with a title, what it says or asks, and buttons that always are in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, Self, TypeVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static

from explorer.tui.key_bindings import bindings
from explorer.tui.screens.form_widgets import PushButton
from explorer.views.as_command import Command
from explorer.views.safe_text import safe

T = TypeVar("T")
_LINES_AROUND = 4  # the box's border, the line for what is wrong, the buttons


def line(text: str, style: str = "") -> Static:
    """A paragraph of plain text."""
    return Static(Text(safe(text), style), markup=False)


# For dialogs that can be copied as a command.
COPIES = bindings("dialog", {"command": "copy_command"})


class Dialog(ModalScreen[T], Generic[T]):
    """Asks for a T. Escape dismisses it with `nothing`."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        #box {
            width: 66; max-width: 100%; height: auto; max-height: 100%;
            border: round $accent; border-title-color: $accent; border-title-style: bold;
            background: $surface; padding: 0 1;
        }
        #body { height: auto; scrollbar-size-vertical: 1; }
        #body > Static { margin-bottom: 1; }
        #wrong { height: 1; color: $text-error; text-style: bold; }
        #buttons { height: 1; }
        #box OptionList { height: auto; max-height: 8; }
        #box Input { background: $panel; }
        &:ansi {
            background: ansi_default;
            #box { background: ansi_default; }
            #box Input { background: ansi_default; text-style: underline; }
            #wrong { color: ansi_default; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "dialog",
            {
                "cancel": "cancel",
                "submit": "submit",
                "before": "app.focus_previous",
                "after": "app.focus_next",
                "up": "scroll(-1)",
                "down": "scroll(1)",
            },
        ),
        Binding("pageup", "scroll(-5)", show=False),
        Binding("pagedown", "scroll(5)", show=False),
    ]
    nothing: T | None = None
    cancel_label = "Cancel"
    as_command: Callable[[T], Command] | None = None  # what it is about to do, for the shell

    def __init__(self, title: str) -> None:
        super().__init__()
        self.dialog_title = title

    def copied_as(self, as_command: Callable[[T], Command]) -> Self:
        """Offers to copy what it is about to do as a command. `as_command` raises ValueError where
        there is none."""
        self.as_command = as_command
        return self

    # ------------------------------------------------------------ what a dialog fills in

    def body(self) -> ComposeResult:
        """What it says and asks; nothing beyond its title, unless a dialog has more to say."""
        yield from ()

    def buttons(self) -> list[PushButton]:
        """Its buttons before the one that cancels; `submit` is the usual one."""
        return [PushButton("OK", "⏎", id="submit")]

    def answer(self) -> T | None:
        """What was entered; `nothing` where nothing can be. Raises ValueError saying what is wrong
        with it."""
        return self.nothing

    # ------------------------------------------------------------ the same for all

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Text(safe(self.dialog_title, 60))
            with VerticalScroll(id="body", can_focus=False):
                yield from self.body()
            yield Static(id="wrong", markup=False)
            with Horizontal(id="buttons"):
                yield from self.buttons()
                if self.as_command is not None:
                    yield PushButton("Copy as command", "$", id="command")
                yield PushButton(self.cancel_label, "Esc", id="cancel")

    # Textual calls a base's handlers as well as a child's, so children fill in these instead.

    def fit(self, num_lines: int) -> None:
        """Arranges itself for a screen of so many lines."""
        self.query_one("#body").styles.max_height = max(num_lines - _LINES_AROUND, 1)

    def pressed(self, id: str) -> None:
        """A button was pressed."""
        if id == "cancel":
            self.action_cancel()
        elif id == "submit":
            self.action_submit()
        elif id == "command":
            self.action_copy_command()

    def typed(self, text: str) -> None:
        """What is in a line has changed."""
        self.complain("")

    def picked(self, place: int) -> None:
        """An entry of the list was chosen by enter or a click."""
        self.action_submit()

    def complain(self, problem: str) -> None:
        """Says below what is wrong; an empty text takes it back."""
        self.query_one("#wrong", Static).update(Content(safe(problem)))

    def action_scroll(self, lines: int) -> None:
        self.query_one("#body").scroll_relative(y=lines, animate=False)

    def action_cancel(self) -> None:
        self.dismiss(self.nothing)

    def action_submit(self) -> None:
        try:
            answer = self.answer()
        except ValueError as error:
            self.complain(str(error))
            self.app.bell()
            return
        self.dismiss(answer)

    def action_copy_command(self) -> None:
        """Copies what it is about to do; the dialog stays."""
        if self.as_command is None:
            return
        try:
            answer = self.answer()
            if answer is None:
                return
            text = self.as_command(answer).text
        except ValueError as error:
            self.complain(str(error))
            self.app.bell()
            return
        self.complain("")
        self.app.copy_to_clipboard(text)
        self.app.notify(f"copied: {safe(text, 300)}", markup=False)

    # ------------------------------------------------------------ messages

    def on_resize(self, event: events.Resize) -> None:
        self.fit(event.size.height)

    def on_push_button_pressed(self, event: PushButton.Pressed) -> None:
        event.stop()
        self.pressed(event.button.id or "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_submit()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.typed(event.value)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.picked(event.option_index)
