"""The tabs about the selected node: what each holds, and how it is painted when it is in front."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import TabbedContent, TabPane

from explorer.tui import presenter, presenter_pareto
from explorer.tui.keys import rebound, shown
from explorer.tui.state import AppState
from explorer.tui.widgets.curves import LiveCurves
from explorer.tui.widgets.log_pane import LogPane
from explorer.tui.widgets.node_pane import NodePane
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.tui.widgets.ranking_pane import RankingPane
from explorer.tui.widgets.stages_pane import StagesPane


def compose(keymap: Mapping[str, str]) -> ComposeResult:
    """The tabs, each with the key that leads there before its name."""
    keys = {key.id: shown(key.keys) for key in rebound(keymap)}
    titles = (
        Content.assemble((keys[f"view.tab{n}"], "dim"), f" {name}")
        for n, name in enumerate(("Live", "Pareto", "Node", "Blocks", "Log"), start=1)
    )
    with TabbedContent(id="tabs", initial="live"):
        with TabPane(next(titles), id="live"):
            yield LiveCurves()
        with TabPane(next(titles), id="pareto"):
            yield ParetoPlot()
        with TabPane(next(titles), id="node"):
            yield NodePane()
        with TabPane(next(titles), id="blocks"):
            yield StagesPane()
            yield RankingPane()
        with TabPane(next(titles), id="log"):
            yield LogPane()


def paint(tabs: TabbedContent, state: AppState) -> None:
    """The tab in front; the others are painted when they come there."""
    if tabs.active in _PAINT:
        _PAINT[tabs.active](tabs, state)


def _paint_curves(tabs: TabbedContent, state: AppState) -> None:
    shown = presenter.curves(state)
    tabs.query_one(LiveCurves).set_series(shown.loss, shown.accuracy)


def _paint_pareto(tabs: TabbedContent, state: AppState) -> None:
    plot = tabs.query_one(ParetoPlot)
    plot.show(presenter_pareto.pareto(state), state.selected)


def _paint_node(tabs: TabbedContent, state: AppState) -> None:
    tabs.query_one(NodePane).show(presenter.node_details(state))


def _paint_blocks(tabs: TabbedContent, state: AppState) -> None:
    shown = presenter.blocks(state)
    tabs.query_one(StagesPane).show(shown.stages)
    tabs.query_one(RankingPane).show(
        shown.scores,
        shown.removed_in.keys(),
        shown.removed_in,
        shown.filters,
        shown.staying,
        shown.unit,
    )


# The log is not among them: its lines are added as they come.
_PAINT: Mapping[str, Callable[[TabbedContent, AppState], None]] = {
    "live": _paint_curves,
    "pareto": _paint_pareto,
    "node": _paint_node,
    "blocks": _paint_blocks,
}
