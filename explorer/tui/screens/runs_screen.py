"""The runs of the open store: side by side, what those agree on that began alike, and which to
open."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen

from explorer.session.errors import MENDABLE
from explorer.tui.drawing import runs as drawing
from explorer.tui.drawing.cells import Line
from explorer.tui.widgets.lines_view import LinesView
from explorer.tui.widgets.settings_list import Lines
from explorer.views.runs import RunsListed, RunView, runs_listed
from explorer.views.safe_text import safe
from store import TreeStore

ANOTHER: Literal["another"] = "another"
Chosen = int | Literal["another"]  # a run by its number, or a new one
_HELP = "⏎ opens it · n begins another · Esc back"


class RunsList(LinesView, can_focus=True):
    """The runs, one marked by a cursor that walks over them."""

    DEFAULT_CSS = "RunsList { overflow-y: auto; height: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "move(-10)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("home", "move(-1000000)", show=False),
        Binding("end", "move(1000000)", show=False),
    ]

    class Moved(Message):
        """Another run is marked."""

    class Chosen(Message):
        """The marked run was clicked."""

    def __init__(self, open_run: int) -> None:
        super().__init__(id="runs")
        self._open, self._found, self.cursor = open_run, RunsListed((), (), ()), 0

    def show(self, found: RunsListed) -> None:
        """Shows these; the cursor stands at the open one."""
        self._found = found
        numbers = [run.run for run in found.runs]
        self.cursor = numbers.index(self._open) if self._open in numbers else 0
        self.repaint()

    @property
    def marked(self) -> RunView | None:
        """The run under the cursor."""
        return self._found.runs[self.cursor] if self._found.runs else None

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return [
            drawing.run_line(run, self._found, self._open, width, place == self.cursor)
            for place, run in enumerate(self._found.runs)
        ]

    def action_move(self, step: int) -> None:
        last = len(self._found.runs) - 1
        self._stand_at(min(max(self.cursor + step, 0), max(last, 0)))

    def _stand_at(self, place: int) -> None:
        self.cursor = place
        self.repaint()
        top, height = self.scroll_offset.y, self.size.height
        if not top <= place < top + height:
            self.scroll_to(y=max(place - height // 2, 0), animate=False)
        self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        place = self.scroll_offset.y + event.y
        if place == self.cursor:
            self.post_message(self.Chosen())
        elif place < len(self._found.runs):
            self._stand_at(place)


class RunsScreen(ModalScreen[Chosen | None]):
    """Which run to open: its number, or another one; None to stay."""

    DEFAULT_CSS = """
    RunsScreen {
        #box {
            width: 100%; height: 100%; background: $surface; padding: 0 1;
            border: round $foreground 40%; border-title-color: $foreground;
            border-title-style: bold; border-subtitle-color: $foreground 70%;
        }
        #heading { height: 1; }
        #agreement { height: 1fr; margin-top: 1; overflow-y: auto; }
        &:ansi { background: ansi_default; #box { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,R", "dismiss(None)", "Back"),
        Binding("enter", "open", "Open"),
        Binding("n,N", "another", "Another run"),
    ]

    def __init__(self, path: Path, open_run: int) -> None:
        super().__init__()
        self._path, self._open = path, open_run
        self.found: RunsListed | None = None  # once it is read
        self._problem = ""

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = f"Runs · {safe(self._path.name, 60)} · which one to work on?"
            box.border_subtitle = _HELP
            yield Lines(self._heading, id="heading")
            yield RunsList(self._open)
            yield Lines(self._agreement, id="agreement")

    def on_mount(self) -> None:
        self.query_one(RunsList).focus()
        self._fit()
        self.run_worker(self._read())

    def on_resize(self) -> None:
        self._fit()

    async def _read(self) -> None:
        """Reads all runs: in a thread, and not over the app's connection, as there may be many
        nodes."""
        try:
            self.found = await asyncio.to_thread(_runs_of, self._path)
            self.query_one(RunsList).show(self.found)
        except MENDABLE as error:
            self._problem = str(error)
        self._fit()
        self._repaint()

    def _fit(self) -> None:
        """The list takes what it needs, of half the height at the most."""
        most = max(self.app.size.height // 2 - 3, 3)
        num = len(self.found.runs) if self.found is not None else 1
        self.query_one(RunsList).styles.height = min(num, most)

    def _repaint(self) -> None:
        for name in ("#heading", "#agreement"):
            self.query_one(name, Lines).repaint()

    def _heading(self, width: int, height: int) -> Sequence[Line]:
        return [drawing.heading(width)] if self.found is not None else []

    def _agreement(self, width: int, height: int) -> Sequence[Line]:
        run = self.query_one(RunsList).marked
        if self._problem:
            return [[(safe(self._problem, 500), "warning")]]
        if self.found is None or run is None:
            return [[("reading the runs…", "dim")]]
        return drawing.agreement_lines(run, self.found, width)

    def on_runs_list_moved(self, event: RunsList.Moved) -> None:
        event.stop()
        agreement = self.query_one("#agreement", Lines)
        agreement.scroll_home(animate=False)
        agreement.repaint()

    def on_runs_list_chosen(self, event: RunsList.Chosen) -> None:
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        if (run := self.query_one(RunsList).marked) is not None:
            self.dismiss(run.run)

    def action_another(self) -> None:
        self.dismiss(ANOTHER)


def _runs_of(path: Path) -> RunsListed:
    with TreeStore.open(path, read_only=True) as store:
        return runs_listed(store)
