"""Putting the run on the screen: what changed is painted a few times a second, not more."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from rich.text import Text
from textual.css.query import NoMatches
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static, TabbedContent

from explorer.tui.state import AppBase
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
from explorer.views.decide_card import live_card, past_card
from explorer.views.live_run import Changes
from explorer.views.node_json import best_name
from explorer.views.published_results import published_for
from explorer.views.safe_text import safe
from explorer.views.stage_widths import stages
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from explorer.views.values import JobView

PAINT_SECONDS = 0.2
MOST_POINTS = 2_000  # of the Pareto plot, kept ones and others each
DETAILS_SECONDS = 0.04  # between a selection and the panes about it


class Painting(AppBase):
    """The half of the app that paints."""

    _details_timer: Timer | None = None
    _starred: Mapping[str, Any] | None = None
    _starred_at = 0.0

    # ------------------------------------------------------------ the tree

    def show_tree(self, model: TreeModel | None = None) -> None:
        """Puts the whole tree on the screen; `model` where it is made already."""
        model = model or TreeModel(self.briefs.values())
        canvas, table = self.query_one(TreeCanvas), self.query_one(NodeTable)
        text = canvas.model.filter_text
        canvas.show(model)
        table.show(model)
        if text:
            canvas.set_filter(text)
            table.set_filter(text)
        if self.selected not in self.shown:
            self.selected = canvas.selected or "R"
        self.select(self.selected)

    def show_live(self) -> None:
        """Takes the run as it is for what is to be shown."""
        self.shown, self.briefs = self.live.objects, self.live.nodes

    def select(self, name: str) -> None:
        if name not in self.shown:
            return
        self.selected = name
        where = Text(f"at {safe(name[-60:])} ", no_wrap=True)
        self.query_one("#where", Static).update(where, layout=False)
        view = self.view_in_front()
        if view.selected != name and view.model.find(name) is not None:
            view.select(name)
        self.paint_details_soon()

    def view_in_front(self) -> TreeCanvas | NodeTable:
        """The tree or the table, whichever is shown; the other one catches up when it comes."""
        if self.query_one("#views", ContentSwitcher).current == "table":
            return self.query_one(NodeTable)
        return self.query_one(TreeCanvas)

    def show_moment(self, moment: int | None) -> None:
        assert self.session is not None
        self.moment = moment
        if moment is None or self.replay is None:
            self.show_live()
        else:
            self.shown = {o["name"]: o for o in self.replay.nodes_at(moment)}
            self.briefs = {name: TreeNode.from_object(o) for name, o in self.shown.items()}
        while self.selected not in self.shown:
            self.selected = self.selected.rpartition(".")[0] or "R"
        self.show_tree()
        self.paint_title()
        self.paint_timeline()

    # ------------------------------------------------------------ what changed

    def paint(self) -> None:
        """Paints what has changed since the last time."""
        try:
            changes = self.live.changes()
            self._paint(changes)
        except NoMatches:  # a screen is being put up or taken down
            return

    def _paint(self, changes: Changes) -> None:
        if changes.nodes and self.moment is None:
            self.query_one(TreeCanvas).update_nodes(changes.nodes)
            self.query_one(NodeTable).update_nodes(changes.nodes)
        if changes.lines:
            self.query_one(LogPane).add([(at, safe(line)) for at, line in changes.lines])
        if changes.jobs or changes.events:
            self.paint_jobs()
        for event in changes.events:
            self.on_session_event(event)
        if changes.nodes or changes.jobs or changes.events:
            self.paint_details()
            self.paint_title()
            self.paint_timeline()

    def on_session_event(self, event: Mapping[str, Any]) -> None:
        """Toasts and dialogs; the app says which."""

    def jobs(self) -> list[JobView]:
        """The jobs as the pane shows them, those that run first."""
        paused = self.steering is not None and self.steering.paused
        jobs = list(self.live.jobs.values())
        if paused:
            jobs = [replace(j, state="paused") if j.state == "running" else j for j in jobs]
        return sorted(jobs, key=lambda job: job.state == "queued")

    def paint_jobs(self) -> None:
        paused = self.steering is not None and self.steering.paused
        jobs = self.jobs()
        cold = bool(jobs) and not self.live.engine_ready
        warming = "the engine is warming up" if cold else None
        self.query_one(JobsPane).show(jobs, paused, warming)

    # ------------------------------------------------------------ about the selected node

    def paint_details_soon(self) -> None:
        """Paints them once the keys rest: what is under a held key is not worth its time."""
        if self._details_timer is None:
            self._details_timer = self.set_timer(DETAILS_SECONDS, self._details_due)

    def _details_due(self) -> None:
        try:
            self.paint_details()
        except NoMatches:  # the app was left meanwhile
            return

    def paint_details(self) -> None:
        """The card and the tab that is in front."""
        if self._details_timer is not None:
            self._details_timer.stop()
            self._details_timer = None
        subject = self.subject
        card = self.query_one(DecideCard)
        if subject is None or self.steering is None:
            card.show(None)
            return
        if self.moment is None:
            card.show(live_card(self.live, self.steering, subject), self.selected)
        else:
            assert self.session is not None
            children = self.session.store.children(self.session.node(subject).id)
            edits = {child.name: child.edit or {} for child in children}
            card.show(past_card(self.shown, subject, edits), self.selected, self.past_words)
        self.paint_tab()

    def paint_tab(self) -> None:
        """The tab in front; the others are painted when they come there."""
        if self.session is None or self.selected not in self.shown:
            return
        paint = {
            "live": self._paint_curves,
            "pareto": self._paint_pareto,
            "node": self._paint_node,
            "blocks": self._paint_blocks,
        }.get(self.query_one(TabbedContent).active)
        if paint is not None:
            paint()

    def _paint_curves(self) -> None:
        running = list(dict.fromkeys(job.node for job in self.live.jobs.values()))
        subject = self.subject
        names = running or [self.selected]
        if subject is not None and not set(running) - set(self.live.children(subject)):
            names = list(dict.fromkeys([*self.live.children(subject), *running])) or [self.selected]
        if self.moment is not None:
            names = [self.selected]
        curves = {name: self.live.curves_of(name) for name in names[:5]}
        self.query_one(LiveCurves).set_series(
            {name: c.loss for name, c in curves.items() if c.loss},
            {name: c.accuracy for name, c in curves.items() if c.accuracy},
        )

    def _paint_pareto(self) -> None:
        assert self.session is not None
        published = [
            (row.macs_reduction, row.delta_accuracy)
            for row in published_for(self.session.run.architecture)
        ]
        kept = [node for node in self.briefs.values() if node.kept]
        others = [node for node in self.briefs.values() if not node.kept]
        root = self.briefs["R"].val_accuracy if published else None
        self.query_one(ParetoPlot).set_points(
            [*others[-MOST_POINTS:], *kept[-MOST_POINTS:]], published, best=self.best_name(),
            root_accuracy=root,
        )  # fmt: skip

    def best_name(self) -> str:
        """The best node of what is shown."""
        assert self.session is not None
        rows = ((n.name, n.kept, n.val_accuracy, n.macs_reduction) for n in self.briefs.values())
        return best_name(rows, self.session.settings)

    def _paint_node(self) -> None:
        assert self.session is not None
        node = self.session.node(self.selected)
        store = self.session.store
        value = {
            **self.shown[self.selected],
            "edit": node.edit,
            "epochs": [{"phase": e.phase, **e.values} for e in store.epochs(node.id)],
            "snapshots": {phase: store.snapshot_hash(node.id, phase) for phase in node.phases},
            "created_at": node.created_at,
        }
        self.query_one(NodePane).show(value)

    def _paint_blocks(self) -> None:
        assert self.session is not None
        run = self.session.run
        edits = self.session.architecture_of(self.session.node(self.selected))["edits"]
        own = edits[len(cast(Sequence[Any], run.architecture.get("edits", ()))) :]
        self.query_one(StagesPane).show(stages(run.architecture, own))
        ranking, parent = self.query_one(RankingPane), self.session.node(self.subject or "R")
        proposals = self.session.store.proposals(parent.id)
        if not proposals:
            ranking.show(None, ())
            return
        children = self.session.store.children(parent.id)
        edits = {c.name: cast(dict[str, Any], c.edit or {}) for c in children}
        removed_in = {b: name for name, edit in edits.items() for b in edit.get("blocks", ())}
        filters = next((edit["filters"] for edit in edits.values() if "filters" in edit), None)
        scores = cast(dict[str, Any], proposals[-1].content["scores"])
        ranking.show(scores, removed_in.keys(), removed_in, filters)

    # ------------------------------------------------------------ around

    def paint_title(self) -> None:
        depth = self.query_one(TreeCanvas).depth
        count = f" · depth {depth} · {len(self.briefs):,} nodes" if self.briefs else ""
        more = "" if self.live.complete else " · more are read"
        if self.live.complete and self.live.num_stored > len(self.live.nodes):
            more = f" · the newest of {self.live.num_stored:,}"
        self.query_one("#left").border_title = f"Tree{count}{more}"
        if self.session is None:
            self.query_one(TitleBar).show(model=self._model_name())
            return
        run, steering = self.session.run, self.steering
        star = self._star()
        self.query_one(TitleBar).show(
            model=self._model_name(),
            data=str(run.data.get("name", "")),
            policy=self.session.settings.policy,
            best=star,
            read_only=self.session.store.read_only,
            alone=steering.alone if steering else 0,
            paused=steering.paused if steering else False,
            device=self.live.device,
            past=self.moment is not None,
        )

    def _star(self) -> Mapping[str, Any] | None:
        """The best node; looked for anew at most every second or so of a large tree."""
        now = time.monotonic()
        if now - self._starred_at > len(self.briefs) / 50_000:
            name = self.best_name()
            self._starred, self._starred_at = self.shown.get(name), time.monotonic()
        return self._starred

    def _model_name(self) -> str:
        if self.session is not None:
            checkpoint = cast(dict[str, Any], self.session.run.settings.get("checkpoint") or {})
            return str(checkpoint.get("name", self.session.run.name))
        return Path(self.request.model).name if self.request else ""

    def paint_timeline(self) -> None:
        timeline = self.query_one(Timeline)
        timeline.display = self.moment is not None or self.playing
        if self.replay is None or not timeline.display:
            return
        moments = self.replay.moments
        place = len(moments) - 1 if self.moment is None else self.moment
        moment = moments[place]
        timeline.show(
            place, len(moments), safe(f"{_clock(moment.created_at)}  {moment.text}"),
            live=self.moment is None, playing=self.playing,
        )  # fmt: skip

    @property
    def playing(self) -> bool:
        """Whether the replay plays by itself."""
        return False


def _clock(created_at: str) -> str:
    """The time of day of a timestamp of the store."""
    return created_at[11:19] if len(created_at) >= 19 else created_at
