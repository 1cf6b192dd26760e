"""The main screen: tree, Decide card, tabs and jobs, each showing what the presenter says."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ClassVar, Concatenate, ParamSpec

from textual import events, on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.css.query import NoMatches
from textual.geometry import Size
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Footer, TabbedContent

from explorer.session.errors import MENDABLE
from explorer.session.events import SessionEvent
from explorer.tui import presenter, presenter_hint, recents, tabs
from explorer.tui.filter_told import filter_told
from explorer.tui.keys import KEYS
from explorer.tui.state import AppState
from explorer.tui.timers import never_left_out
from explorer.tui.widgets.banner import Banner
from explorer.tui.widgets.decide_card import DecideCard
from explorer.tui.widgets.hint_line import HintLine
from explorer.tui.widgets.jobs_pane import JobsPane
from explorer.tui.widgets.log_pane import LogPane
from explorer.tui.widgets.node_table import NodeTable
from explorer.tui.widgets.timeline import Timeline
from explorer.tui.widgets.title_bar import TitleBar
from explorer.tui.widgets.tree_canvas import TreeCanvas
from explorer.views.decide_card import Card
from explorer.views.live_run import Changes, LiveRun
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.tree.model import TreeModel

PAINT_SECONDS = 0.2  # between two looks at what has changed
DETAILS_SECONDS = 0.04  # between a selection and the panes about it
WIDE_COLUMNS, TINY_COLUMNS, TINY_LINES, LOW_LINES, SHORT_LINES, TALL_LINES = 100, 60, 16, 20, 30, 48
NARROWEST, WIDEST = 30, 90  # percent of the width that the right pane may take


P = ParamSpec("P")
CHANGING = {key.id for key in KEYS if key.group in ("Decide", "Grow")}


def tells_errors(
    paint: Callable[Concatenate[MainScreen, P], None],
) -> Callable[Concatenate[MainScreen, P], None]:
    """What cannot be shown is told; the rest of the app goes on."""

    @functools.wraps(paint)
    def painted(screen: MainScreen, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            paint(screen, *args, **kwargs)
        except MENDABLE as error:
            screen.tell_once(str(error))

    return painted


class MainScreen(Screen[None]):
    """Shows the app's state; what a key or an event of the session does, the app says."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.label, show=key.show, tooltip=key.help, id=key.id)
        for key in sorted(KEYS, key=lambda key: key.group != "App")  # what a narrow footer shows
        if key.action
    ]

    class Shown(Message):
        """The screen was painted for the first time."""

    class Happened(Message):
        """An event of the run that is followed as `live`; what it changed is on the screen."""

        def __init__(self, event: SessionEvent, live: LiveRun) -> None:
            super().__init__()
            self.event, self.live = event, live

    def __init__(self, state: AppState) -> None:
        super().__init__()
        self.state = state
        self.right_percent = recents.sizes().get("right", 45)
        self.roomy_view = "tree"  # what to show again on a terminal that is no longer tiny
        self._player: Timer | None = None
        self._details_timer: Timer | None = None
        self._best: NodeView | None = None
        self._best_at = 0.0
        self._told: set[str] = set()
        self._card: Card | None = None  # as it is shown

    def compose(self) -> ComposeResult:
        yield TitleBar(id="title")
        yield Banner(id="banner")
        with Horizontal(id="main"):
            with Vertical(id="left"):
                with ContentSwitcher(id="views", initial="tree"):
                    yield TreeCanvas(id="tree")
                    yield NodeTable(self.state.figure, recents.columns(), id="table")
                yield Timeline(id="timeline")
                yield HintLine(id="hint")
            with Vertical(id="right"):
                yield DecideCard(keymap=self.state.config.keymap, id="card")
                yield from tabs.compose(self.state.config.keymap)
        yield JobsPane(id="jobs")
        yield Footer(show_command_palette=False)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys for the footer, those dimmed that would only be refused (and would say why)."""
        found = super().active_bindings
        if not presenter.is_read_only(self.state):
            return found
        return {
            key: active._replace(enabled=False) if active.binding.id in CHANGING else active
            for key, active in found.items()
        }

    def on_mount(self) -> None:
        self.fit(self.app.size)
        self.query_one(TreeCanvas).zoom = self.state.config.zoom
        self.query_one(TreeCanvas).at_length = lambda name: self.state.shown.get(name)
        self.query_one(Timeline).display = False
        self.paint_title()
        self.paint_details()
        self.query_one(TreeCanvas).focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.set_interval(PAINT_SECONDS, self.paint)
        self.post_message(self.Shown())

    # ------------------------------------------------------------ the size of the terminal

    def on_resize(self, event: events.Resize) -> None:
        self.fit(event.size)
        self.paint_title()

    def fit(self, size: Size) -> None:
        """Lays the panes out for a terminal of this size: wide, stacked or tiny."""
        tiny = size.width < TINY_COLUMNS or size.height < TINY_LINES
        was_tiny = self.has_class("-tiny")
        self.set_class(tiny, "-tiny")
        self.set_class(not tiny and size.width < WIDE_COLUMNS, "-stacked")
        self.set_class(not tiny and size.height < SHORT_LINES, "-short")
        self.set_class(not tiny and size.height < LOW_LINES, "-low")
        self.set_class(size.height >= TALL_LINES, "-tall")
        self.size_panes()
        if tiny and not was_tiny:
            self.roomy_view = self.query_one("#views", ContentSwitcher).current or "tree"
            self.show_view("table")
        elif was_tiny and not tiny:
            self.show_view(self.roomy_view)

    def size_panes(self) -> None:
        """Gives the panes at the right their share, where they stand beside the tree."""
        stacked = self.has_class("-stacked")
        self.query_one("#right").styles.width = None if stacked else f"{self.right_percent}%"

    def widen_right(self, percent: int) -> None:
        """Moves the border between the tree and the panes at its right."""
        self.right_percent = min(max(self.right_percent + percent, NARROWEST), WIDEST)
        self.size_panes()

    # ------------------------------------------------------------ the tree

    def view_in_front(self) -> TreeCanvas | NodeTable:
        """The tree or the table, whichever is shown; the other one catches up when it comes."""
        if self.query_one("#views", ContentSwitcher).current == "table":
            return self.query_one(NodeTable)
        return self.query_one(TreeCanvas)

    def show_view(self, name: str) -> None:
        """Brings the tree or the table to the front, standing at the selected node."""
        self.query_one("#views", ContentSwitcher).current = name
        self.query_one(f"#{name}").focus()
        self.select(self.state.selected)

    def swap_views(self) -> None:
        """Brings the table to the front, or the tree again."""
        current = self.query_one("#views", ContentSwitcher).current
        self.show_view("table" if current == "tree" else "tree")

    def show_tree(self, model: TreeModel | None = None) -> None:
        """Puts the whole tree on the screen; `model` where it is made already."""
        state = self.state
        model = model or TreeModel(state.briefs.values())
        canvas, table = self.query_one(TreeCanvas), self.query_one(NodeTable)
        text = canvas.model.filter_text
        canvas.show(model)
        table.show(model)
        if text:
            self.set_filter(text)
        if state.selected not in state.shown:
            state.selected = canvas.selected or "R"
        self.select(state.selected)

    @property
    def filter_text(self) -> str:
        """The search whose matches are marked."""
        return self.query_one(TreeCanvas).model.filter_text

    def set_filter(self, text: str) -> int:
        """Marks the nodes that a search finds; how many there are."""
        canvas = self.query_one(TreeCanvas)
        canvas.set_filter(text)
        self.query_one(NodeTable).set_filter(text)
        found = len(canvas.model.matches or ())
        self.query_one("#left").border_subtitle = filter_told(text, found)
        self.set_class(bool(text), "-filtered")
        self.paint_hint()
        return found

    def select(self, name: str) -> None:
        """Selects a node everywhere."""
        if name not in self.state.shown:
            return
        self.state.selected = name
        self.query_one(HintLine).show_place(name)
        view = self.view_in_front()
        if view.selected != name and view.model.find(name) is not None:
            view.select(name)
        self._paint_details_soon()

    @on(TreeCanvas.Selected)
    @on(NodeTable.Selected)
    def node_selected(self, message: TreeCanvas.Selected | NodeTable.Selected) -> None:
        # A message of the hidden view, or one that a later key has overtaken, says nothing.
        if message.name == self.view_in_front().selected and message.name != self.state.selected:
            self.select(message.name)

    def catch_up(self) -> None:
        """Takes over a selection whose message is still on its way: a quick key overtakes it."""
        view = self.view_in_front()
        if view.selected in (None, self.state.selected) or view.selected not in self.state.shown:
            return
        if view.model.find(view.selected) is not None:
            self.select(view.selected)

    # ------------------------------------------------------------ the past

    def show_moment(self, moment: int | None) -> None:
        """Shows the tree as it stood at a moment, None for now."""
        self.state.show_moment(moment)
        self.show_tree()
        self.paint_title()
        self.paint_timeline()
        self.paint_jobs()

    @on(Timeline.Moved)
    @tells_errors
    def moment_chosen(self, message: Timeline.Moved) -> None:
        if self.state.replay is not None:
            last = len(self.state.replay.moments) - 1
            self.show_moment(None if message.position >= last else message.position)

    def start_playing(self, seconds: float, step: Callable[[], None]) -> None:
        """Takes a step again and again, until it is stopped."""
        self._player = self.set_interval(seconds, step)
        self.state.playing = True

    def forget_run(self) -> None:
        """Shows nothing of the run that was open: another one comes."""
        self.stop_playing()
        self._best, self._best_at = None, 0.0
        self.set_filter("")
        self.query_one(LogPane).clear()

    def stop_playing(self) -> None:
        if self._player is not None:
            self._player.stop()
        self._player, self.state.playing = None, False

    # ------------------------------------------------------------ what changed

    def tell_once(self, text: str) -> None:
        """A toast about what stays so, such as a row that cannot be read."""
        if text not in self._told:
            self._told.add(text)
            self.app.notify(safe(text), severity="warning", markup=False, timeout=10)

    @tells_errors
    def paint(self) -> None:
        """Shows what has changed since the last time."""
        try:
            self._paint(self.state.live.changes())
        except NoMatches:  # the screen is being put up or taken down
            return

    def _paint(self, changes: Changes) -> None:
        if changes.nodes and self.state.moment is None:
            self.query_one(TreeCanvas).update_nodes(changes.nodes)
            self.state.renew_figures(node.name for node in changes.nodes)
            self.query_one(NodeTable).update_nodes(changes.nodes)
        if changes.lines:
            self.query_one(LogPane).add([(at, safe(line)) for at, line in changes.lines])
        if changes.jobs or changes.events:
            self.paint_jobs()
        if changes.nodes or changes.jobs or changes.events:
            self.paint_details()
            self.paint_title()
            self.paint_timeline()
        for event in changes.events:
            self.post_message(self.Happened(event, self.state.live))

    def paint_jobs(self) -> None:
        shown = presenter.jobs(self.state)
        self.query_one(JobsPane).show(shown.jobs, shown.paused, shown.warming, shown.idle)
        self.paint_hint()

    def paint_hint(self) -> None:
        """What makes sense now, and where one is."""
        found = len(self.query_one(TreeCanvas).model.matches or ())
        hint = presenter_hint.hint(self.state, self._card, self.filter_text, found)
        work = "" if self.query_one(JobsPane).display else presenter_hint.work_in_brief(self.state)
        self.query_one(HintLine).show(hint, self.state.selected, work)

    def paint_title(self) -> None:
        depth = self.query_one(TreeCanvas).depth
        self.query_one(Banner).show(presenter.banner(self.state), presenter.deciding(self.state))
        title = presenter.tree_title(self.state, depth)
        is_framed = not (self.has_class("-stacked") and self.has_class("-short"))
        self.query_one("#left").border_title = title if is_framed else f" {title} "
        best = self._best_node()
        self.query_one(TreeCanvas).set_signs(best.name if best else None, self.state.marked)
        self.query_one(NodeTable).show_marked(self.state.marked)
        self.query_one(TitleBar).show(presenter.title(self.state, best))
        self.paint_hint()

    def _best_node(self) -> NodeView | None:
        """The best node; looked for anew at most every second or so of a large tree."""
        state = self.state
        if state.session is not None and (
            time.monotonic() - self._best_at > len(state.briefs) / 50_000
        ):
            self._best = state.shown.get(presenter.best_of_shown(state))
            self._best_at = time.monotonic()
        return self._best

    def paint_timeline(self) -> None:
        shown, timeline = presenter.timeline(self.state), self.query_one(Timeline)
        timeline.display = shown is not None
        if shown is not None:
            timeline.show(
                shown.place, shown.count, shown.label, live=shown.live, playing=shown.playing
            )

    # ------------------------------------------------------------ about the selected node

    def _paint_details_soon(self) -> None:
        """Shows them once the keys rest: what is under a held key is not worth its time."""
        if self._details_timer is None:
            timer = self.set_timer(DETAILS_SECONDS, self._details_due)
            self._details_timer = never_left_out(timer)

    def _details_due(self) -> None:
        try:
            self.paint_details()
        except NoMatches:  # the app was left meanwhile
            return

    @tells_errors
    def paint_details(self) -> None:
        """The card and the tab that is in front."""
        if self._details_timer is not None:
            self._details_timer.stop()
            self._details_timer = None
        shown = presenter.card(self.state)
        self._card = shown.card
        self.query_one(DecideCard).show(shown.card, shown.selected, shown.now_what)
        self.paint_hint()
        if shown.card is not None:
            self.paint_tab()

    def show_tab(self, name: str) -> None:
        """Shows a tab; on a narrow screen, again shows the Decide card in its place."""
        shown = self.query_one(TabbedContent)
        if self.has_class("-stacked") and shown.active == name and self.has_class("-tabs"):
            self.remove_class("-tabs")
        else:
            self.add_class("-tabs")
        shown.active = name
        self.paint()

    @on(TreeCanvas.Activated)
    @on(NodeTable.Activated)
    def node_activated(self) -> None:
        self.show_tab("node")

    @on(TabbedContent.TabActivated)
    @tells_errors
    def paint_tab(self) -> None:
        """The tab in front."""
        if self.state.session is None or self.state.selected not in self.state.shown:
            return
        tabs.paint(self.query_one(TabbedContent), self.state)
