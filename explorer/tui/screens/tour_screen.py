"""The tour: a small box beside the pane that it is about; the app goes on behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from explorer.views.safe_text import safe
from explorer.views.tour import Step

_TOURED = "-toured"  # the class of the pane that a step is about


class TourScreen(ModalScreen[None]):
    """Shows the steps one after the other; enter goes on, escape ends it at any step."""

    DEFAULT_CSS = """
    TourScreen {
        align: left bottom;
        background: $background 0%;
        #box {
            width: 64; max-width: 100%; height: auto; margin: 0 0 1 0;
            border: heavy $accent; border-title-color: $accent; border-title-style: bold;
            border-subtitle-color: $foreground; background: $surface; padding: 0 1;
        }
        &:ansi { background: ansi_default; #box { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "End"),
        Binding("enter,space,right,l", "go(1)", "Next"),
        Binding("left,h,backspace", "go(-1)", "Back"),
    ]

    def __init__(self, steps: Sequence[Step], behind: Screen[None]) -> None:
        super().__init__()
        self.steps, self.behind = tuple(steps), behind
        self.place = 0

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Static(id="says", markup=False)

    def on_mount(self) -> None:
        self._show()

    def on_unmount(self) -> None:
        self._point_at(None)

    def action_go(self, step: int) -> None:
        if self.place + step >= len(self.steps):
            self.dismiss(None)
            return
        self.place = max(self.place + step, 0)
        self._show()

    def _show(self) -> None:
        step, box = self.steps[self.place], self.query_one("#box")
        box.border_title = f"{self.place + 1} of {len(self.steps)} · {safe(step.title)}"
        last = self.place + 1 == len(self.steps)
        box.border_subtitle = f"⏎ {'done' if last else 'next'} · Esc ends the tour"
        self.query_one("#says", Static).update(Text(safe(step.text, 1000)))
        at_left = step.pane in ("card", "tabs")
        self.styles.align_horizontal = "left" if at_left else "right"
        self._point_at(step.pane)

    def _point_at(self, pane: str | None) -> None:
        """Marks the pane that the step is about, and no other."""
        for each in {step.pane for step in self.steps}:
            try:
                self.behind.query_one(f"#{each}").set_class(each == pane, _TOURED)
            except NoMatches:
                continue
