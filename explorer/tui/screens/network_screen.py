"""A node's network: its diagram, the rankings on the way to it, and how another one differs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from explorer.session.errors import MENDABLE
from explorer.tui import presenter_network as presenter
from explorer.tui.drawing.cells import short_name
from explorer.tui.drawing.network import diagram_lines
from explorer.tui.drawing.network_diff import diff_lines
from explorer.tui.drawing.network_heat import heat_lines
from explorer.tui.key_bindings import bindings
from explorer.tui.state import AppState
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.network.rankings import Rankings
from explorer.views.safe_text import safe

What = Literal["diagram", "ranking", "diff"]
Draw = Callable[[int], Sequence[Line]]
WIDE = 150  # cells from which on the rankings stand beside the diagram
_NAME = 40
_HELP = "Esc back · d diagram · r ranking · c difference · y copies"


class NetworkPane(LinesView, can_focus=True):
    """Lines of any number, to be scrolled."""

    DEFAULT_CSS = """
    NetworkPane {
        width: 1fr; height: 1fr; overflow-y: auto;
        .lines--bar { color: $foreground 55%; }
        &:ansi .lines--bar { color: ansi_default; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("network", {"up": "scroll_up", "down": "scroll_down"}),
        Binding("pageup", "page_up", "Up", show=False),
        Binding("pagedown,space", "page_down", "Down", show=False),
        Binding("home", "scroll_home", "First", show=False),
        Binding("end", "scroll_end", "Last", show=False),
    ]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._draw: Draw = lambda width: ()

    def show(self, draw: Draw) -> None:
        """Shows what `draw` gives at the pane's width."""
        self._draw = draw
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return self._draw(width)

    def text(self) -> str:
        """What is shown, as text."""
        lines = self._draw(max(self.size.width, 40))
        return "\n".join("".join(text for text, _ in line).rstrip() for line in lines)


class NetworkScreen(ModalScreen[None]):
    """Shows the network of a node; `other` begins with how that one's differs."""

    DEFAULT_CSS = """
    NetworkScreen {
        #box {
            width: 100%; height: 100%; background: $surface; padding: 0 1;
            border: heavy $foreground 80%; border-title-color: $foreground;
            border-title-style: bold; border-subtitle-color: $foreground 70%;
        }
        #beside { border-left: vkey $foreground 40%; padding-left: 1; }
        #beside:focus { border-left: heavy $foreground 80%; }
        &:ansi { background: ansi_default; #box { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "next", "Next", show=False),
        *bindings(
            "network",
            {
                "leave": "dismiss(None)",
                "diagram": "see('diagram')",
                "ranking": "see('ranking')",
                "difference": "difference",
                "before": "steps(-1)",
                "after": "steps(1)",
                "copy": "copy",
            },
        ),
    ]

    def __init__(self, state: AppState, name: str, other: str | None = None) -> None:
        super().__init__()
        self._state = state
        self._shown = name
        self._others = presenter.others(state, name)
        if other is not None:
            self._others = [other, *(each for each in self._others if each != other)]
        self.what: What = "diagram" if other is None else "diff"
        self._place = 0  # of the other node that is compared
        self.diagram = presenter.diagram(state, name)
        self._rankings: Rankings | None = None  # read when they are first looked at
        self.first_step = 1_000_000  # the newest ones

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_subtitle = _HELP
            with Horizontal():
                yield NetworkPane(id="front")
                yield NetworkPane(id="beside")

    def on_mount(self) -> None:
        self.query_one("#front").focus()
        self.paint()

    def on_resize(self) -> None:
        self.paint()

    # ------------------------------------------------------------ what is shown

    def paint(self) -> None:
        """Shows what was asked for, at the size there is."""
        front = self.query_one("#front", NetworkPane)
        beside = self.query_one("#beside", NetworkPane)
        beside.display = self.what == "diagram" and self.app.size.width >= WIDE
        name = short_name(self._shown, _NAME)
        titles = {
            "diagram": f"Network · {name} · what is left?",
            "ranking": f"Network · {name} · what mattered, step by step?",
            "diff": f"Network · {name} · how does another one differ?",
        }
        self.query_one("#box").border_title = safe(titles[self.what], 120)
        if self.what == "diff":
            found = presenter.difference(self._state, self._others[self._place], self._shown)
            front.show(lambda width: diff_lines(found, width))
        elif self.what == "ranking":
            front.show(self._heat)
        else:
            front.show(lambda width: diagram_lines(self.diagram, width))
            if beside.display:
                beside.show(self._heat)

    @property
    def rankings(self) -> Rankings:
        if self._rankings is None:
            self._rankings = presenter.rankings(self._state, self._shown)
        return self._rankings

    def _heat(self, width: int) -> Sequence[Line]:
        return heat_lines(self.rankings, width, self.first_step)

    def action_see(self, what: What) -> None:
        self.what = what
        self.query_one("#front", NetworkPane).scroll_home(animate=False)
        self.paint()

    def action_difference(self) -> None:
        """The next node that was marked; the parent where none is."""
        if not self._others:
            self.app.notify("mark another node with m, then see how it differs", markup=False)
            return
        if self.what == "diff":
            self._place = (self._place + 1) % len(self._others)
        try:
            self.action_see("diff")
        except MENDABLE as error:
            self.app.notify(safe(str(error), 300), severity="warning", markup=False)

    def action_next(self) -> None:
        """The next of the views that there are."""
        views: list[What] = ["diagram", "ranking", "diff"]
        views = views if self._others else views[:2]
        self.action_see(views[(views.index(self.what) + 1) % len(views)])

    def action_steps(self, by: int) -> None:
        """Other steps of the rankings, where not all fit."""
        last = len(self.rankings.steps)
        self.first_step = min(max(min(self.first_step, last) + by, 0), last)
        self.paint()

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self.query_one("#front", NetworkPane).text())
        self.app.notify("copied as text", markup=False)
