"""The Pareto plot alone, as large as the terminal."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from explorer.session.errors import MENDABLE
from explorer.tui import presenter_pareto
from explorer.tui.state import AppState
from explorer.tui.widgets.pareto_plot import ParetoPlot

PAINT_SECONDS = 0.5  # between two looks at what has changed


class PlotScreen(Screen[None]):
    """Shows what the pane beside the tree shows, and follows the run as it does."""

    DEFAULT_CSS = """
    PlotScreen {
        #box {
            border: heavy $foreground 80%; border-title-color: $foreground;
            border-title-style: bold; border-subtitle-color: $foreground 70%;
            background: $surface; padding: 0 1;
        }
        &:ansi, &:ansi #box { background: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Close")]

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self._state = state

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = "Pareto · what does removing cost?"
            box.border_subtitle = (
                "Esc closes · arrows walk · Enter selects · X Y axes · r published · s saves"
            )
            yield ParetoPlot()

    def on_mount(self) -> None:
        self.paint()
        self.query_one(ParetoPlot).focus()
        self.set_interval(PAINT_SECONDS, self.paint)

    def paint(self) -> None:
        """Shows what has changed."""
        try:
            view = presenter_pareto.pareto(self._state)
        except MENDABLE as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        self.query_one(ParetoPlot).show(view, self._state.selected)
