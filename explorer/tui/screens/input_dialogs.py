"""Dialogs that ask for a number, a text, or the data of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.contracts.data_names import KNOWN_DATA
from engine.contracts.errors import UserError
from engine.contracts.events import NetworkRead
from explorer.session.named_files import model_path
from explorer.tui.screens.dialog import Dialog, line
from explorer.tui.screens.form_widgets import (
    PathSuggester,
    PickList,
    SafeInput,
)
from explorer.views.safe_text import safe

# CIFAR ResNets take images of about 32×32; the sample has one name in a list.
_OFFERED = {n: d for n, d in KNOWN_DATA.items() if n not in ("stl10", "fashion-sample")}
ANY_NETWORK = NetworkRead()


class TextDialog(Dialog[str]):
    """A line of text; `check` says what is wrong with one, None where it is good.

    Suggestions complete what is typed, and are listed to be clicked or walked with up and down.
    """

    DEFAULT_CSS = """
    TextDialog {
        #body > OptionList { text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "pick(-1)", show=False),
        Binding("down", "pick(1)", show=False),
    ]

    def __init__(
        self,
        title: str,
        label: str,
        initial: str,
        suggestions: Sequence[str] = (),
        check: Callable[[str], str | None] | None = None,
    ) -> None:
        super().__init__(title)
        self.label = label
        self.initial = initial
        self.suggestions = tuple(suggestions)
        self.check = check

    def body(self) -> ComposeResult:
        yield line(self.label)
        suggester = PathSuggester([each for each in self.suggestions if safe(each) == each])
        yield SafeInput(self.initial, suggester=suggester, compact=True, id="text")
        if self.suggestions:
            options = [Option(self.prompt(each)) for each in self.suggestions]
            yield PickList(*options, has_cursor=True)

    def prompt(self, suggestion: str) -> Text:
        """How a suggestion is listed."""
        return Text(safe(suggestion), no_wrap=True, overflow="ellipsis")

    def on_mount(self) -> None:
        self.query_one(Input).focus()
        for options in self.query(OptionList):
            options.highlighted = None

    def fit(self, num_lines: int) -> None:
        super().fit(num_lines)
        for options in self.query(OptionList):  # the line that is typed stays in sight
            options.styles.max_height = max(num_lines - 10, 2)

    def answer(self) -> str:
        text = self.query_one(SafeInput).given
        problem = self.check(text) if self.check else None
        if problem is not None:
            raise ValueError(problem)
        return text

    def typed(self, text: str) -> None:
        problem = self.check(text) if self.check else None
        self.complain(problem or "")

    def action_pick(self, step: int) -> None:
        """Takes the next suggestion into the line."""
        for options in self.query(OptionList):
            if options.highlighted is None:
                options.highlighted = 0 if step > 0 else options.option_count - 1
            else:
                options.highlighted = (options.highlighted + step) % options.option_count
            self._take(options.highlighted)

    def picked(self, place: int) -> None:
        self._take(place)
        self.action_submit()

    def _take(self, place: int) -> None:
        field = self.query_one(SafeInput)
        field.give(self.suggestions[place])
        field.cursor_position = len(field.value)


class DataDialog(TextDialog):
    """The data of a network that names none: a known name that fits the network, or a path."""

    def __init__(
        self,
        message: str,
        named: str = "",
        suggestions: Sequence[str] = (),
        title: str | None = None,
        network: NetworkRead = ANY_NETWORK,
    ) -> None:
        fitting = (n for n, d in _OFFERED.items() if network.takes(d.channels, d.classes))
        names = tuple(dict.fromkeys((*suggestions, *fitting)))
        label = "A name, a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
        title = title or "Which data was it trained on?"
        super().__init__(title, label, named, names, _wrong_data)
        self.message = message

    def body(self) -> ComposeResult:
        yield Static(Text(safe(self.message), "bold"), markup=False)
        yield from super().body()

    def prompt(self, suggestion: str) -> Text:
        text = super().prompt(suggestion)
        known = KNOWN_DATA.get(suggestion)
        return text.append(f"  {known.words}, {known.classes} classes", "dim") if known else text

    def typed(self, text: str) -> None:
        self.complain("")  # half a path is no error yet

    def answer(self) -> str:
        return super().answer().strip()


class WeightsDialog(TextDialog):
    """The file of the weights of a network that was named without any, or random ones."""

    RANDOM = "random"

    def __init__(self, message: str, network: str) -> None:
        label = f"A file, or {self.RANDOM}: an untrained network"
        title = f"Which weights for {network}?"
        super().__init__(title, label, "", (self.RANDOM,), self._wrong)
        self.message = message

    def body(self) -> ComposeResult:
        yield Static(Text(safe(self.message), "bold"), markup=False)
        yield from super().body()

    def typed(self, text: str) -> None:
        self.complain("")  # half a path is no error yet

    def answer(self) -> str:
        return super().answer().strip()

    def _wrong(self, text: str) -> str | None:
        if text.strip() == self.RANDOM:
            return None
        try:
            model_path(text.strip())
        except UserError as error:
            return str(error)
        return None


def _wrong_data(text: str) -> str | None:
    """What is wrong with the name or path of data, as far as it shows here."""
    text = text.strip()
    if not text:
        return "name the data, or give a path"
    looks_like_path = "/" in text or text.startswith(("~", ".")) or text.endswith((".npz", ".zip"))
    try:
        missing = looks_like_path and not Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        missing = True
    return f"there is no file or folder {text!r}" if missing else None
