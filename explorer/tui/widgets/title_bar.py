"""The first line: what is open, how far it got, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.counting import await_you, counted
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.standing import GLYPHS


class _Part(NamedTuple):
    """A part of the title: the higher its rank, the longer it stays when room gets short."""

    rank: int
    text: str
    tone: str = ""


class TitleBar(LinesView):
    """One line: the run at the left, its standing at the right."""

    DEFAULT_CSS = """
    TitleBar {
        height: 1;
        background: $secondary;
        &:ansi { background: ansi_default; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._left: list[_Part] = [_Part(1, "pe-explore", "title")]
        self._right: list[_Part] = []

    def show(
        self,
        *,
        model: str = "",
        data: str = "",
        policy: str = "",
        best: NodeView | None = None,
        read_only: bool = False,
        alone: str = "",
        paused: bool = False,
        device: str = "",
        past: bool = False,
        num_doubts: int = 0,
        awaiting: int = 0,
        run: str = "",
    ) -> None:
        """Shows these parts. `alone` says what is left to the policy, `awaiting` how many decisions
        await a person, `run` which of several runs is open."""
        left = [
            _Part(1, "pe-explore", "title"),
            _Part(10, safe(model, 60)),
            _Part(6, f"· {run}" if run else ""),
            _Part(3, f"· {safe(data, 40)}" if data else ""),
            _Part(2, f"· policy {safe(policy, 20)}" if policy else ""),
        ]
        right = [
            _Part(9, "◀ past" if past else "", "warning"),
            _Part(8, "read-only" if read_only else "", "warning"),
            _Part(8, _awaiting_text(awaiting), "key"),
            _Part(7, _doubts_text(num_doubts), "warning"),
            _Part(7, _best_text(best), "good"),
            _Part(5, alone, "warning"),
            _Part(6 if paused else 4, _device_text(paused, device), "warning" if paused else ""),
        ]
        parts = [p for p in left if p.text], [p for p in right if p.text]
        if parts != (self._left, self._right):
            self._left, self._right = parts
            self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return [title_line(self._left, self._right, width)]


def title_line(left: Sequence[_Part], right: Sequence[_Part], width: int) -> Line:
    """The parts that fit: those of the lowest rank go first, the last one is cut."""
    parts = [*left, *right]
    while len(parts) > 1 and _cells(parts, right) > width:
        parts.remove(min(parts))
    at_left, at_right = ([p for p in side if p in parts] for side in (left, right))
    pieces = _joined(at_left, " ")
    if at_right:
        room = width - sum(cell_len(text) for text, _ in pieces)
        shown = _joined(at_right, "  ")
        filled = max(room - sum(cell_len(text) for text, _ in shown), 0)
        pieces += [(" " * filled, ""), *shown]
    if len(parts) == 1:
        pieces = [(fig.cut(parts[0].text, width), parts[0].tone)]
    return pieces


def _cells(parts: Sequence[_Part], right: Sequence[_Part]) -> int:
    """What the parts take, with a gap of two cells before the right ones and between them."""
    return sum(cell_len(p.text) + (2 if p in right else 1) for p in parts)


def _joined(parts: Sequence[_Part], gap: str) -> list[tuple[str, str]]:
    pieces = []
    for place, part in enumerate(parts):
        pieces.append(((gap if place else "") + part.text, part.tone))
    return pieces


def _best_text(best: NodeView | None) -> str:
    """`best −86.4% @ 93.10`: what is gone of the root, and the validation accuracy."""
    if best is None or (accuracy := fig.number(best.val_accuracy)) is None:
        return ""
    if best.parent is None:
        return f"root {accuracy:.2f}"
    return f"best {fig.percent_removed(best.macs_reduction)} @ {accuracy:.2f}"


def _awaiting_text(awaiting: int) -> str:
    """`◇ 3 await you`."""
    return f"{GLYPHS['undecided']} {await_you(awaiting)}" if awaiting else ""


def _doubts_text(num_doubts: int) -> str:
    """`! 1 doubt`: what it is stands on the root's card and in the Node tab."""
    return f"! {counted(num_doubts, 'doubt')}" if num_doubts else ""


def _device_text(paused: bool, device: str) -> str:
    name = safe(device, 20)
    if paused:
        return f"‖ paused {name}".rstrip()
    return f"▶ {name}" if name else ""
