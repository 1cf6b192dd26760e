"""What the app stands at: the run, what of it is shown, what is selected. Knows no Textual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from explorer.session.errors import NotNowError
from explorer.session.open_run import Request
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.tui.config import Config
from explorer.tui.keys import shown
from explorer.tui.plot_state import Plot
from explorer.views.decide_card import subject_of
from explorer.views.live_run import MOST, LiveRun
from explorer.views.node_view import NodeView
from explorer.views.replay import Replay
from explorer.views.tree.node import TreeNode
from store import Node

if TYPE_CHECKING:
    from explorer.views.plan import Prediction


@dataclass
class AppState:
    """One app's values, and the questions about them. The screen shows them, actions change them.

    `session` and `steering` are None until a run is open, `replay` until the past was asked for.
    """

    request: Request | None
    config: Config
    live: LiveRun = field(default_factory=LiveRun)
    session: Session | None = None
    steering: Steering | None = None
    replay: Replay | None = None
    moment: int | None = None  # the place in the replay that is shown, None for now
    predicted: Prediction | None = None  # by the plan with which the run was begun here
    waits_for: str = ""  # before a tree is open: what somebody else is to do first
    playing: bool = False  # whether the replay goes on by itself
    shown: Mapping[str, NodeView] = field(default_factory=dict)  # nodes on the screen, by name
    briefs: Mapping[str, TreeNode] = field(default_factory=dict)  # the same in brief
    selected: str = "R"
    marked: list[str] = field(default_factory=list)
    follow: bool = True  # whether the selection goes along with decisions of the policy
    _figures: dict[str, dict[str, float]] = field(default_factory=dict)  # by measure and name
    _awaiting: tuple[int, Sequence[str]] | None = None  # as of which event of the store
    plot: Plot = field(default_factory=Plot)
    runs: Sequence[int] = ()  # the numbers of the store's runs

    def forget_run(self, live: LiveRun | None = None) -> None:
        """Stands at no run any more, but for what is chosen for whichever is open; `live` is the
        one that comes next."""
        fresh = AppState(self.request, self.config, live or LiveRun(), follow=self.follow)
        fresh.plot = Plot(self.plot.choice)
        vars(self).update(vars(fresh))

    @property
    def open_session(self) -> Session:
        """The session, where a run is open for certain."""
        assert self.session is not None
        return self.session

    @property
    def selected_node(self) -> Node | None:
        """The selected node as the store has it."""
        if self.session is None or self.selected not in self.live.objects:
            return None
        return self.session.node(self.selected)

    @property
    def subject(self) -> str | None:
        """The parent that the Decide card is about."""
        if self.selected not in self.shown:
            return None
        has_children = bool(self.live.children(self.selected)) if self.moment is None else any(
            value.parent == self.selected for value in self.shown.values()
        )  # fmt: skip
        return subject_of(self.shown, self.selected, has_children)

    def figure(self, name: str, key: str) -> float | None:
        """A measure of a node by its key. Of the run as it is, all of a measure are read at once:
        a table is sorted by them."""
        if self.moment is not None or self.session is None:
            view = self.shown.get(name)
            return None if view is None else view.measure(key)
        if key not in self._figures:
            store, run = self.session.store, self.session.run
            self._figures[key] = store.measured(run.id, key, 2 * MOST)
        return self._figures[key].get(name)

    def renew_figures(self, names: Iterable[str]) -> None:
        """Reads these nodes' measures anew, of those that were asked for."""
        for name in names:
            for key, known in self._figures.items():
                if (value := self.live.objects[name].measure(key)) is not None:
                    known[name] = value

    def awaiting(self) -> Sequence[str]:
        """The parents whose candidates are measured and await a word, in the order they came;
        none where nothing can be decided."""
        steering = self.steering
        if steering is None or steering.store.read_only or self.moment is not None:
            return ()
        newest = steering.store.last_event_id(steering.session.run.id)
        if self._awaiting is None or self._awaiting[0] != newest:
            self._awaiting = newest, [parent.name for parent in steering.waiting()]
        return self._awaiting[1]

    # ------------------------------------------------------------ which moment is shown

    def show_live(self) -> None:
        """Takes the run as it is for what is to be shown."""
        self.shown, self.briefs = self.live.objects, self.live.nodes

    def show_moment(self, moment: int | None) -> None:
        """Takes the tree as it stood at a moment, None for now; what is selected is in it."""
        self.moment = moment
        if moment is None or self.replay is None:
            self.show_live()
        else:
            self.shown = {o.name: o for o in self.replay.nodes_at(moment)}
            self.briefs = {name: TreeNode.of(o) for name, o in self.shown.items()}
        while self.selected not in self.shown:
            self.selected = self.selected.rpartition(".")[0] or "R"


READ_ONLY = "open for reading only: nothing can be decided here"


def none_is_open(state: AppState) -> str:
    """What is said where a tree is needed and none is open."""
    return "no tree is open yet" if state.request is None else "its tree is still being opened"


def steering_or_refuse(state: AppState) -> Steering:
    """The steering, where this tree can be changed now; else NotNowError says why not."""
    if state.steering is None:
        raise NotNowError(none_is_open(state))
    if state.steering.store.read_only:
        raise NotNowError(READ_ONLY)
    if state.moment is not None:
        raise NotNowError(about_the_past(state.config))
    return state.steering


def about_the_past(config: Config) -> str:
    """What to do about looking at the past."""
    back = next(key.keys for key in config.key_table if key.id == "replay.last")
    return f"you are looking at the past; {shown(back)} returns to now"
