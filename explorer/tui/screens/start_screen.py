"""What the app opens with when nothing was named: recent stores, the sample, or a path."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from engine.contracts.errors import UsageError
from explorer.session.model_source import is_network
from explorer.session.named_files import model_path
from explorer.tui.recents import Recent, Star
from explorer.tui.screens.dialog import Dialog
from explorer.tui.screens.form_widgets import (
    PathSuggester,
    PickList,
    PushButton,
    SafeInput,
)
from explorer.views.counting import counted
from explorer.views.safe_text import safe

_SAMPLE = "a small network on Fashion-MNIST, to try everything within a minute"


class StartScreen(Dialog[str]):
    """A path to open, or "sample". With an empty line, the marked entry of the list is opened."""

    DEFAULT_CSS = """
    StartScreen {
        #box { width: 90; }
        #about, #body > Static { margin-bottom: 0; }
        #body > OptionList { margin-bottom: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-5)", show=False),
        Binding("pagedown", "move(5)", show=False),
    ]
    cancel_label = "Quit"

    def __init__(self, recents: Sequence[Recent] = (), sample: bool = True) -> None:
        super().__init__("pe-explore")
        self.recents = tuple(recents)
        self.paths = [recent.path for recent in self.recents] + (["sample"] if sample else [])

    def body(self) -> ComposeResult:
        yield Static(
            Text("Steer the pruning of a trained network, layer or filters, node by node."),
            id="about", markup=False,
        )  # fmt: skip
        options = [Option(_prompt(recent)) for recent in self.recents]
        if len(self.paths) > len(options):
            options.append(Option(_two_lines("sample", _SAMPLE)))
        yield PickList(*options, has_cursor=True)
        yield Static(Text("or a path: a checkpoint, or a store (.db)"), markup=False)
        yield SafeInput(suggester=PathSuggester(("sample",)), compact=True, id="path")

    def buttons(self) -> list[PushButton]:
        return [PushButton("Open", "⏎", id="submit")]

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = 0 if self.paths else None
        self.query_one(Input).focus()

    def fit(self, num_lines: int) -> None:
        super().fit(num_lines)
        self.query_one(OptionList).styles.max_height = max(num_lines - 9, 2)

    def action_move(self, step: int) -> None:
        if self.paths:
            options = self.query_one(OptionList)
            last = len(self.paths) - 1
            options.highlighted = min(max((options.highlighted or 0) + step, 0), last)

    def picked(self, place: int) -> None:
        self.query_one(Input).value = ""
        self.action_submit()

    def answer(self) -> str:
        typed = self.query_one(Input).value.strip()
        place = self.query_one(OptionList).highlighted
        if not typed and place is not None:
            typed = self.paths[place]
        if not typed:
            raise ValueError("type a path")
        try:
            if not is_network(typed):
                model_path(typed)
        except (UsageError, OSError, ValueError, RuntimeError) as error:
            raise ValueError(str(error)) from None
        return typed


def _prompt(recent: Recent) -> Text:
    """A store in two lines: its file and folder; its figures."""
    path = Path(recent.path)
    when = datetime.fromtimestamp(recent.opened_at).strftime("%Y-%m-%d %H:%M")
    figures = [counted(recent.num_nodes, "node")]
    if recent.best is not None:
        figures.append(_best(recent.best))
    return _two_lines(path.name, " · ".join((*figures, when)), f"  {path.parent}")


def _best(best: Star) -> str:
    known = [f"best {safe(best.name, 24)}"]
    if best.macs_reduction is not None:
        known.append(f"−{best.macs_reduction:.1f} % MACs")
    if best.val_accuracy is not None:
        known.append(f"{best.val_accuracy:.2f} %")
    return " ".join(known)


def _two_lines(title: str, below: str, beside: str = "") -> Text:
    text = Text(no_wrap=True, overflow="ellipsis").append(safe(title), "bold")
    return text.append(safe(beside), "dim").append(f"\n  {safe(below)}", "not dim")
