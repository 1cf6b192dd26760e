"""What is left to the policy: where, until when, and what it leaves to the person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from engine.contracts.errors import UsageError
from explorer.session.budget import MOST_DECISIONS, Budget, moment_in
from explorer.tui.screens.dialog import COPIES, Dialog, line
from explorer.tui.screens.form_widgets import (
    Choice,
    FigureInput,
    NumberInput,
    NumberRow,
    PushButton,
)

EVERYWHERE, DECIDE, LEAVE = "everywhere", "decide them too", "leave them to me"
_LABEL = 12  # cells


@dataclass(frozen=True)
class Left:
    """What is left to the policy; without a budget it is nothing any more, anywhere."""

    budget: Budget | None
    everywhere: bool = False
    until: str = field(default="", compare=False)  # as it was written


class AloneDialog(Dialog[Left]):
    """Which decisions the policy makes alone: the first limit that is reached ends it."""

    BINDINGS: ClassVar[list[BindingType]] = [*COPIES]
    DEFAULT_CSS = """
    AloneDialog { #body > Horizontal { height: 1; } #alone-until, #alone-drop { width: 12; } }
    """

    def __init__(self, top: str, policy: str, *, now: float, left: str = "") -> None:
        """`left` says what is left to the policy already, in words."""
        super().__init__("Let the policy decide")
        self.top, self.policy, self.left, self.now = top, policy, left, now
        here = f"from {top[-24:]} on"
        self.where = Choice((here, EVERYWHERE), here, id="alone-where")
        self.count = NumberInput(3, 0, MOST_DECISIONS, optional=True, id="alone-count")
        self.until = FigureInput(max_length=20, compact=True, id="alone-until")
        self.macs = NumberInput(None, 1, 99, optional=True, id="alone-macs")
        self.drop = FigureInput(max_length=8, compact=True, id="alone-drop")
        self.close = Choice((DECIDE, LEAVE), DECIDE, id="alone-close")

    def body(self) -> ComposeResult:
        yield line(f"It decides by {self.policy} until the first of these is reached.")
        if self.left:
            yield line(f"Left to it now: {self.left}.")
        yield _row("Where", self.where)
        yield NumberRow("Decisions".ljust(_LABEL), self.count, hint="0: ask me again")
        yield _row("Until", self.until, "06:00, 8 h or 90 min")
        yield NumberRow("MACs gone".ljust(_LABEL), self.macs, hint="% of the root's")
        yield _row("Loses", self.drop, "points of val acc at most")
        yield _row("Close calls", self.close)

    def buttons(self) -> list[PushButton]:
        return [PushButton("Let it decide", "⏎", id="submit")]

    def on_mount(self) -> None:
        self.count.focus()

    def answer(self) -> Left:
        decisions = self.count.number()
        if decisions == 0:
            return Left(None)
        macs, drop = self.macs.number(), _number(self.drop)
        try:
            budget = Budget(
                decisions=decisions,
                until=moment_in(self.until.given, self.now),
                target_macs=None if macs is None else float(macs),
                max_drop=drop,
                stop_at_close_calls=self.close.chosen == LEAVE,
            )
        except UsageError as error:
            raise ValueError(str(error)) from None
        if not budget.is_bounded:
            raise ValueError("say at least one limit, or it decides until nothing can go")
        return Left(budget, self.where.chosen == EVERYWHERE, self.until.given)


def _number(field: Input) -> float | None:
    text = field.value.strip().replace(",", ".")
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of points, such as 1.5") from None


def _row(label: str, part: Choice | Input, hint: str = "") -> Horizontal:
    told = [Static(hint, classes="hint", markup=False)] if hint else []
    return _Row(Static(label.ljust(_LABEL), classes="label", markup=False), part, *told)


class _Row(Horizontal):
    """A part of the dialog between its label and what may stand there."""

    DEFAULT_CSS = """
    _Row {
        .label { width: auto; margin: 0 1 0 0; }
        .hint { width: 1fr; margin: 0 0 0 1; color: $foreground 70%; }
        &:ansi .hint { color: ansi_default; }
    }
    """
