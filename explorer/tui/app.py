"""The explorer app: the live tree, the Decide card, and what happens meanwhile."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.containers import Horizontal, Vertical
from textual.filter import LineFilter
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Footer, Static, TabbedContent, TabPane

from explorer.session.open_run import Request
from explorer.tui import recents
from explorer.tui.actions.decide import DecideActions
from explorer.tui.actions.grow import GrowActions
from explorer.tui.actions.nodes import NodeActions
from explorer.tui.actions.replay import ReplayActions
from explorer.tui.actions.view import TABS, ViewActions
from explorer.tui.config import Config
from explorer.tui.keys import KEYS
from explorer.tui.lifecycle import Startup
from explorer.tui.themes import THEMES, line_filters, pick_theme
from explorer.tui.widgets.curves import LiveCurves
from explorer.tui.widgets.decide_card import DecideCard
from explorer.tui.widgets.jobs_pane import JobsPane
from explorer.tui.widgets.log_pane import LogPane
from explorer.tui.widgets.node_pane import NodePane
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.tui.widgets.ranking_pane import RankingPane
from explorer.tui.widgets.stages_pane import StagesPane
from explorer.tui.widgets.timeline import Timeline
from explorer.tui.widgets.title_bar import TitleBar
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.event_messages import line_of

WIDE_COLUMNS, TINY_COLUMNS, TINY_LINES = 100, 60, 16
# What helps against an error, by its name.
REMEDIES = {
    "StoreFullError": "make room on the disk, then try again: what was measured waits in the spool",
    "StoreLockedError": "close the other program that writes this store, then try again",
    "JobFailedError": "see the worker's log in the spool folder, then try again",
    "CandidatesFailedError": "g on the parent tries again; e makes another candidate instead",
}


def _key_commands() -> type[Provider]:
    from explorer.tui.screens.command_palette import (
        KeyCommands,  # dialogs are imported after the first paint
    )

    return KeyCommands


class ExplorerApp(DecideActions, GrowActions, NodeActions, ReplayActions, ViewActions, Startup):
    """pe-explore MODEL."""

    TITLE = "pe-explore"
    CSS_PATH = Path(__file__).with_name("app.tcss")  # a subclass elsewhere has it too
    COMMANDS: ClassVar[set[Any]] = {_key_commands}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.label, show=key.show, tooltip=key.help, id=key.id)
        for key in sorted(KEYS, key=lambda key: key.group != "App")  # what a narrow footer shows
        if key.action
    ]

    roomy_view = "tree"  # what to show again on a terminal that is no longer tiny

    def __init__(self, request: Request | None, config: Config) -> None:
        super().__init__(request, config)
        self.right_percent = recents.sizes().get("right", 45)
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = pick_theme(config, os.environ)

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        with Horizontal(id="main"):
            with Vertical(id="left"):
                with ContentSwitcher(id="views", initial="tree"):
                    yield TreeCanvas(id="tree")
                    yield NodeTable(id="table")
                yield Timeline(id="timeline")
                yield Static(id="where", markup=False)
            with Vertical(id="right"):
                yield DecideCard(keymap=self.config.keymap, id="card")
                with TabbedContent(id="tabs", initial="live"):
                    with TabPane("Live", id="live"):
                        yield LiveCurves()
                    with TabPane("Pareto", id="pareto"):
                        yield ParetoPlot()
                    with TabPane("Node", id="node"):
                        yield NodePane()
                    with TabPane("Blocks", id="blocks"):
                        yield StagesPane()
                        yield RankingPane()
                    with TabPane("Log", id="log"):
                        yield LogPane()
        yield JobsPane(id="jobs")
        yield Footer(show_command_palette=False)

    # ------------------------------------------------------------ starting

    def on_mount(self) -> None:
        self.set_keymap(self.config.keymap)
        self.size_panes()
        self.query_one(TreeCanvas).zoom = self.config.zoom
        self.follow = self.config.follow
        self.query_one(Timeline).display = False
        self.paint_title()
        for problem in self.config.problems:
            self.tell(problem, "warning")
        self.query_one(TreeCanvas).focus()
        self.call_after_refresh(self.open_run)

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        tiny = width < TINY_COLUMNS or height < TINY_LINES
        was_tiny = self.has_class("-tiny")
        self.set_class(tiny, "-tiny")
        self.set_class(not tiny and width < WIDE_COLUMNS, "-stacked")
        self.set_class(not tiny and height < 30, "-short")
        self.size_panes()
        if tiny and not was_tiny:
            self.roomy_view = self.query_one("#views", ContentSwitcher).current or "tree"
            self.show_view("table")
        elif was_tiny and not tiny:
            self.show_view(self.roomy_view)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return line_filters(self.theme, super().get_line_filters())

    def set_timer(self, *arguments: Any, **options: Any) -> Timer:
        """A timer that ticks however busy the machine is.

        Textual leaves out a tick that is late, also the only one of a timer: a new size of the
        terminal, which waits for such a timer, would never be seen, nor any after it.
        """
        timer = super().set_timer(*arguments, **options)
        timer._skip = False
        return timer

    # ------------------------------------------------------------ messages of the widgets

    @on(TreeCanvas.Selected)
    @on(NodeTable.Selected)
    def node_selected(self, message: TreeCanvas.Selected | NodeTable.Selected) -> None:
        # A message of the hidden view, or one that a later key has overtaken, says nothing.
        if message.name == self.view_in_front().selected and message.name != self.selected:
            self.select(message.name)

    async def run_action(self, action: Any, *where: Any, **more: Any) -> bool:
        if len(self.screen_stack) == 1:
            self._catch_up()
        return await super().run_action(action, *where, **more)

    def _catch_up(self) -> None:
        """Takes over a selection whose message is still on its way: a quick key overtakes it."""
        view = self.view_in_front()
        if view.selected in (None, self.selected) or view.selected not in self.shown:
            return
        if view.model.find(self.selected) is not None:
            self.select(view.selected)

    @on(TreeCanvas.Activated)
    @on(NodeTable.Activated)
    def node_activated(self) -> None:
        self.action_tab(TABS.index("node") + 1)

    @on(TabbedContent.TabActivated)
    def tab_shown(self) -> None:
        self.paint_tab()

    @on(Timeline.Moved)
    def moment_chosen(self, message: Timeline.Moved) -> None:
        if self.replay is not None:
            last = len(self.replay.moments) - 1
            self.show_moment(None if message.position >= last else message.position)

    @on(RankingPane.BlockChosen)
    @work
    async def block_chosen(self, message: RankingPane.BlockChosen) -> None:
        await self.ask_for_candidate(message.path)

    # ------------------------------------------------------------ what the session tells

    def on_session_event(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        if kind == "problem":
            self.show_problem(event)
        elif kind == "decided" and event["actor"] != "user":
            self._follow(event["parent"], event["kept"])
        elif kind == "waiting":
            self.tell(f"{event['parent']}: both candidates are measured")
            if self.config.bell:
                self.bell()
        elif kind in ("stopped", "exhausted", "note", "retrying"):
            self.tell(line_of(event) or "", "warning" if kind == "retrying" else "information")

    def _follow(self, parent: str, kept: str) -> None:
        """Goes along with a decision that was made without the person, if they look there."""
        near = self.selected == parent or self.selected.rpartition(".")[0] == parent
        if self.follow and near and self.moment is None and kept in self.shown:
            self.select(kept)

    @work(group="problems")
    async def show_problem(self, event: Mapping[str, Any]) -> None:
        """A dialog about work that failed; the app stays."""
        node = event["node"]
        remedy = REMEDIES.get(event["kind"], "g on the node tries again; the log has the details")
        if event.get("detail"):
            remedy = "this is a bug of ours: please report it with the details below"
        title = f"{node}: the work failed"
        if await self.complain(
            title, event["cause"], remedy, retry=True, detail=event.get("detail")
        ):
            self.retry(node)

    def retry(self, name: str) -> None:
        """Takes up failed work where it ended."""
        steering = self.wheel()
        if steering is None:
            return
        node = steering.session.node(name)
        again = node if node.state == "ready" else steering.store.node_by_id(node.parent_id or 0)
        self.attempt(lambda: steering.grow(again))

    @property
    def playing(self) -> bool:
        return self.player is not None

    async def action_quit(self) -> None:
        self.ask_to_quit()
