"""What every part of the app may use: the run, the selection, and words for the person."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from textual.app import App

from explorer.session.errors import MENDABLE
from explorer.session.open_run import Request
from explorer.session.session import Session
from explorer.session.steering import Steering
from explorer.tui.config import Config
from explorer.tui.keys import shown
from explorer.views.decide_card import subject_of
from explorer.views.live_run import LiveRun
from explorer.views.node_view import NodeView
from explorer.views.replay import Replay
from explorer.views.safe_text import safe
from explorer.views.tree.node import TreeNode
from store import Node

T = TypeVar("T")
TOAST_SECONDS = {"information": 2.5, "warning": 5.0, "error": 10.0}


class AppBase(App[None]):
    """The app's state. `moment` is the place in the replay that is shown, None for now."""

    def __init__(self, request: Request | None, config: Config) -> None:
        super().__init__()
        self.request = request
        self.config = config
        self.live = LiveRun()
        self.session: Session | None = None
        self.steering: Steering | None = None
        self.replay: Replay | None = None
        self.moment: int | None = None
        self.shown: Mapping[str, NodeView] = {}  # the nodes on the screen, by name
        self.briefs: Mapping[str, TreeNode] = {}  # the same in brief
        self.selected = "R"
        self.marked: list[str] = []
        self.follow = True

    # ------------------------------------------------------------ words

    def tell(self, text: str, severity: Any = "information") -> None:
        """A toast."""
        self.notify(safe(text), severity=severity, markup=False, timeout=TOAST_SECONDS[severity])

    def attempt(self, action: Callable[[], T]) -> T | None:
        """The action's result; what stands in its way is told, and None given."""
        try:
            return action()
        except MENDABLE as error:
            self.tell(str(error), "warning")
            return None

    async def complain(
        self, title: str, cause: str, remedy: str, *, retry: bool = False, detail: str | None = None
    ) -> bool:
        """A dialog about an error; whether the person wants it tried again."""
        from explorer.tui.screens.dialogs import ErrorDialog  # after the first paint

        dialog = ErrorDialog(title, cause, remedy, detail=detail, retry=retry)
        return await self.push_screen_wait(dialog) == "retry"

    @property
    def past_words(self) -> str:
        """What to do about looking at the past."""
        back = next(key.keys for key in self.config.key_table if key.id == "replay.last")
        return f"you are looking at the past; {shown(back)} returns to now"

    # ------------------------------------------------------------ what is selected

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

    def wheel(self) -> Steering | None:
        """The steering, where this tree can be changed now; else says why not."""
        if self.steering is None:
            self.tell("no tree is open yet", "warning")
        elif self.steering.store.read_only:
            self.tell("this store is open for reading only: another process grows it", "warning")
        elif self.moment is not None:
            self.tell(self.past_words, "warning")
        else:
            return self.steering
        return None

    def wheel_at_subject(self) -> tuple[Steering, Node] | None:
        """The steering, and the parent that is to be decided."""
        steering, name = self.wheel(), self.subject
        if steering is None or name is None:
            return None
        return steering, steering.session.node(name)

    def wheel_at_selected(self) -> tuple[Steering, Node] | None:
        """The steering, and the selected node."""
        steering, node = self.wheel(), self.selected_node()
        return None if steering is None or node is None else (steering, node)

    # ------------------------------------------------------------ painting, by the app itself

    def select(self, name: str) -> None:
        """Selects a node everywhere."""
        raise NotImplementedError

    def show_moment(self, moment: int | None) -> None:
        """Shows the tree as it stood at a moment, None for now."""
        raise NotImplementedError

    def paint(self) -> None:
        """Paints what has changed."""
        raise NotImplementedError
