"""What dialogs are made of: buttons of one line, choices, numbers, inputs with a list below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.style import Style as VisualStyle
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from explorer.tui.key_bindings import bindings
from explorer.views.safe_text import safe


class PushButton(Static, can_focus=True):
    """A button of one line: ` w  Wait `. Pressed by a click, enter or space."""

    DEFAULT_CSS = """
    PushButton {
        width: auto; height: 1; margin: 0 1 0 0; padding: 0 1;
        background: $panel; color: $foreground; pointer: pointer;
        &:hover { text-style: underline; }
        &:focus { text-style: bold reverse; }
        &:ansi { background: ansi_default; color: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "press", "Press", show=False),
    ]

    class Pressed(Message):
        """The button of a name was pressed."""

        def __init__(self, button: PushButton) -> None:
            super().__init__()
            self.button = button

        @property
        def control(self) -> PushButton:
            return self.button

    def __init__(self, label: str, key: str = "", *, id: str) -> None:
        text = Text(no_wrap=True)
        if key:
            text.append(f"{key} ", "bold")
        super().__init__(text.append(safe(label)), id=id, markup=False)

    def on_click(self) -> None:
        self.action_press()

    def action_press(self) -> None:
        self.post_message(self.Pressed(self))


class Choice(Widget, can_focus=True):
    """One of a few words: `◉ layer  ○ filters`. Changed by left and right, space, or a click."""

    DEFAULT_CSS = """
    Choice {
        width: 1fr; height: 1;
        &:focus { text-style: bold; background: $panel; }
        &:ansi:focus { background: ansi_default; text-style: bold reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("dialog", {"before": "turn(-1)", "after": "turn(1)"}),
        Binding("space", "turn(1)", "Next", show=False),
    ]

    class Changed(Message):
        """Another word is chosen."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

        @property
        def control(self) -> Choice:
            return self.choice

    def __init__(
        self,
        words: Sequence[str],
        chosen: str | None = None,
        *,
        unavailable: Sequence[str] = (),
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.words = tuple(words)
        self.unavailable = frozenset(unavailable)
        free = [word for word in self.words if word not in self.unavailable]
        self.chosen = chosen if chosen in free else next(iter(free), None)

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for word in self.words:
            style = "dim strike" if word in self.unavailable else ""
            text.append(("◉ " if word == self.chosen else "○ ") + safe(word), style).append("  ")
        return text

    def choose(self, word: str) -> None:
        if word in self.words and word not in self.unavailable and word != self.chosen:
            self.chosen = word
            self.refresh()
            self.post_message(self.Changed(self))

    def action_turn(self, step: int) -> None:
        free = [word for word in self.words if word not in self.unavailable]
        if self.chosen is not None:
            self.choose(free[(free.index(self.chosen) + step) % len(free)])

    def on_click(self, event: events.Click) -> None:
        start = 0
        for word in self.words:
            end = start + Text(safe(word)).cell_len + 4
            if start <= event.x < end:
                self.choose(word)
            start = end


class PickList(OptionList):
    """A list of options whose cursor shows without colours too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("dialog", {"up": "cursor_up", "down": "cursor_down"}),
    ]
    DEFAULT_CSS = """
    PickList:ansi {
        background: ansi_default;
        & > .option-list--option-highlighted {
            color: ansi_default; background: ansi_default; text-style: bold underline;
        }
        &:focus > .option-list--option-highlighted { text-style: bold reverse; }
        &.-cursor > .option-list--option-highlighted { text-style: bold reverse; }
        & > .option-list--option-disabled { color: ansi_default; text-style: dim; }
    }
    """

    def __init__(self, *options: Option | Text, has_cursor: bool = False) -> None:
        """`has_cursor`: it is walked through while another widget has the focus."""
        super().__init__(*options, compact=True, classes="-cursor" if has_cursor else None)
        if has_cursor:
            self.can_focus = False

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> VisualStyle:
        # Textual's own leaves reverse out.
        style = super().get_visual_style(*component_classes, partial=partial)
        components = map(self.get_component_styles, component_classes)
        if any(each.text_style.reverse for each in components):
            return style + VisualStyle(reverse=True)
        return style


class MarkList(PickList):
    """A list in which space or a click marks, and enter ends."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "select", "Mark", show=False),
        Binding("enter", "screen.submit", "Done", show=False),
    ]


class SafeInput(Input):
    """A line of text in which characters that could fool a terminal are shown as `�`."""

    DEFAULT_CSS = """
    SafeInput:ansi > .input--cursor {
        color: ansi_default; background: ansi_default; text-style: reverse;
    }
    """

    def __init__(self, text: str = "", **options: Any) -> None:
        super().__init__(select_on_focus=False, **options)
        self._original = text

    def on_mount(self) -> None:  # an Input takes no value before it has an app
        self.give(self._original)

    def validate_value(self, value: str) -> str:
        return _harmless(value)

    @property
    def given(self) -> str:
        """The text: as it was given, if it is still that one."""
        return self._original if self.value == _harmless(self._original) else self.value

    def give(self, text: str) -> None:
        """Puts a text in."""
        self._original = text
        self.value = text


class FigureInput(SafeInput):
    """A line for a time or a figure: `$` is no part of one, so that it is a key here too."""

    DEFAULT_CSS = SafeInput.DEFAULT_CSS.replace("SafeInput", "FigureInput")

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """What is typed here, and so is no key."""
        return character != "$" and super().check_consume_key(key, character)

    def on_key(self, event: events.Key) -> None:
        if event.character == "$":
            event.prevent_default()


def _harmless(text: str) -> str:
    """The text with one `�` for each character that `safe` would escape."""
    return "".join(each if safe(each) == each else "�" for each in text)


class NumberInput(Input):
    """A whole number within bounds; arrows up and down change it. `low` and `high` count in."""

    DEFAULT_CSS = SafeInput.DEFAULT_CSS.replace("SafeInput", "NumberInput")

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("dialog", {"up": "step(1)", "down": "step(-1)"}),
        Binding("pageup", "step(10)", "Many more", show=False),
        Binding("pagedown", "step(-10)", "Many less", show=False),
    ]

    def __init__(
        self, initial: int | None, low: int, high: int, *, optional: bool = False, id: str
    ) -> None:
        super().__init__(restrict=r"-?[0-9]*", max_length=12, compact=True, id=id)
        self.initial = initial
        self.low, self.high, self.optional = low, high, optional

    def on_mount(self) -> None:
        if self.initial is not None:
            self.value = str(self.initial)

    def number(self) -> int | None:
        """The number, None for none. Raises ValueError saying what it must be."""
        text = self.value.strip()
        if not text and self.optional:
            return None
        if not text.lstrip("-").isdigit() or not self.low <= int(text) <= self.high:
            given = repr(text) if text else "nothing"
            raise ValueError(f"{given} is not a whole number from {self.low:,} to {self.high:,}")
        return int(text)

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Only what a number is written with is typed; other characters are keys, as elsewhere."""
        return character is not None and character in "0123456789-"

    def on_key(self, event: events.Key) -> None:
        if event.is_printable and not self.check_consume_key(event.key, event.character):
            event.prevent_default()

    def action_step(self, step: int) -> None:
        digits = self.value.lstrip("-")
        now = int(self.value) if digits.isdigit() else self.low - max(step, 0)
        self.value = str(min(max(now + step, self.low), self.high))
        self.cursor_position = len(self.value)


class NumberRow(Horizontal):
    """A number with its label, a − and a + to click, and its bounds."""

    DEFAULT_CSS = """
    NumberRow {
        height: 1;
        .label { width: auto; margin-right: 1; }
        NumberInput { width: 8; margin-right: 1; }
        .bounds { width: 1fr; color: $foreground 70%; }
        &:ansi .bounds { color: ansi_default; }
    }
    """

    def __init__(self, label: str, field: NumberInput, *, hint: str = "") -> None:
        super().__init__()
        self.label = label
        self.field = field
        self.hint = hint or f"{field.low:,} to {field.high:,}"

    def compose(self) -> ComposeResult:
        yield Static(Text(safe(self.label)), classes="label", markup=False)
        yield self.field
        yield PushButton("−", id="less")
        yield PushButton("+", id="more")
        yield Static(Text(safe(self.hint), no_wrap=True), classes="bounds", markup=False)

    def on_push_button_pressed(self, event: PushButton.Pressed) -> None:
        event.stop()
        self.field.action_step(1 if event.button.id == "more" else -1)


class PathSuggester(Suggester):
    """Completes names that are known, and paths of files."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.names = tuple(names)

    async def get_suggestion(self, value: str) -> str | None:
        for name in self.names:
            if value and name.casefold().startswith(value.casefold()):
                return value + name[len(value) :]
        return completed_path(value)


_MOST_ENTRIES = 10_000  # of a folder that are looked at


def completed_path(value: str) -> str | None:
    """The first path (folders end in /) that begins like this, None where there is none."""
    before, slash, beginning = value.rpartition("/")
    if not slash and not beginning:
        return None
    try:
        folder = Path(before + slash or ".").expanduser()
        entries = []
        for _, entry in zip(range(_MOST_ENTRIES), folder.iterdir(), strict=False):
            hidden = entry.name.startswith(".") and not beginning.startswith(".")
            if entry.name.startswith(beginning) and not hidden:
                entries.append(entry)
        if not entries:
            return None
        first = min(entries)
        found = value + first.name[len(beginning) :] + ("/" if first.is_dir() else "")
    except (OSError, ValueError, RuntimeError):  # no such folder, a NUL, no home
        return None
    # What would be shown otherwise than it is, is not suggested.
    return found if found != value and safe(found) == found else None
