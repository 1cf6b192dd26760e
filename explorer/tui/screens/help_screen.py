"""Every key on one screen, by group, and what the words mean; typing searches."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from explorer.tui.keys import (
    GROUPS,
    KEYS,
    Key,
    shown,
)
from explorer.tui.screens.form_widgets import SafeInput
from explorer.views import glossary

_IN_GROUP = {
    "Tree": "with the tree in focus",
    "Table": "with the table in focus",
    "Plot": "with the Pareto plot in focus",
    "Network": "while a node's network is shown",
    "Compare": "while nodes are compared",
    "Settings": "while a run's settings, or a plan, are shown",
    "Dialogs": "while something is asked",
}
FURTHER = (
    ("Tab", "Go on to the next pane, or view of a network; Shift+Tab back"),
    ("Esc", "A step back, at last to the tree; of a dialog: close it, changing nothing"),
)


class HelpScreen(ModalScreen[None]):
    """The key table, with a person's own keys, as a page to search and scroll."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        #box {
            width: 78; max-width: 100%; height: 100%; max-height: 60;
            border: round $accent; border-title-color: $accent; border-title-style: bold;
            border-subtitle-color: $foreground; background: $surface; padding: 0 1;
        }
        Input { background: $panel; margin-bottom: 1; }
        #page { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
        &:ansi { background: ansi_default; #box { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Close"),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup", "scroll_page(-1)", show=False),
        Binding("pagedown,enter", "scroll_page(1)", show=False),
    ]

    def __init__(self, keys: Sequence[Key] = KEYS) -> None:
        super().__init__()
        self.table = tuple(keys)

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Keys and words"
            box.border_subtitle = "type to search · ↑ ↓ scroll · Esc closes"
            yield SafeInput(placeholder="search", compact=True)
            with VerticalScroll(id="page", can_focus=False):
                yield Static(id="keys", markup=False)

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._show()
        self.query_one("#page").scroll_home(animate=False)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        cells = self.query_one("#page").scrollable_content_region.width
        search = self.query_one(Input).value
        self.query_one("#keys", Static).update(page(self.table, search, cells))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.action_scroll_page(1)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#page").scroll_relative(y=lines, animate=False)

    def action_scroll_page(self, pages: int) -> None:
        body = self.query_one("#page")
        body.scroll_relative(y=pages * (body.size.height - 1), animate=False)


def page(keys: Sequence[Key], search: str = "", cells: int = 76) -> Text:
    """The table as text: those keys that hold every searched word, by group."""
    words = search.casefold().split()
    found = [key for key in keys if all(word in _all_of(key) for word in words)]
    width = max((cell_len(shown(key.keys)) for key in keys), default=0) + 2
    text = Text()

    def add(name: str, meaning: str) -> None:
        first, *more = textwrap.wrap(meaning, max(cells - width, 20)) or [""]
        text.append(set_cell_size(name, width), "bold").append(f"{first}\n")
        for each in more:
            text.append(" " * width + f"{each}\n")

    for group in GROUPS:
        members = [key for key in found if key.group == group]
        if members:
            where = f" ({_IN_GROUP[group]})" if group in _IN_GROUP else ""
            text.append(f"{group}{where}\n", "bold underline")
        for key in members:
            add(shown(key.keys), f"{key.label}: {key.help}")
    meant = [word for word in glossary.words() if all(w in _all_of_word(word) for w in words)]
    if not words:
        text.append("Everywhere\n", "bold underline")
        for name, meaning in FURTHER:
            add(name, meaning)
    elif not (found or meant):
        text.append("no key does that; ctrl+p finds actions by other words\n")
    if meant:
        text.append("\nWords\n" if found else "Words\n", "bold underline")
    for word in meant:
        text.append(f"{word.term}  ", "bold")
        text.append("\n".join(textwrap.wrap(word.text, max(cells - 2, 20),
                                            initial_indent=" " * (len(word.term) + 2),
                                            subsequent_indent="  ")).lstrip() + "\n")  # fmt: skip
    return text


def _all_of_word(word: glossary.Word) -> str:
    return f"{word.term} {word.text}".casefold()


def _all_of(key: Key) -> str:
    return f"{shown(key.keys)} {key.label} {key.help} {key.group} {key.id}".casefold()
