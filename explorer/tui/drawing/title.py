"""The first line, without Textual: what is open, how far it got, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.cells import cell_len

from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Piece
from explorer.views.counting import await_you, counted
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe
from explorer.views.standing import GLYPHS


@dataclass(frozen=True)
class TitleView:
    """The first line: what is open, and how things stand."""

    model: str = ""
    data: str = ""
    policy: str = ""
    best: NodeView | None = None
    read_only: bool = False
    alone: str = ""  # what is left to the policy
    paused: bool = False
    device: str = ""
    past: bool = False
    num_doubts: int = 0  # about the root, and so about every figure
    awaiting: int = 0  # decisions that await a word
    run: str = ""  # which of the store's runs, where it has several


class Part(NamedTuple):
    """A part of the title: the higher its rank, the longer it stays when room gets short."""

    rank: int
    text: str
    tone: str = ""


def parts_of(view: TitleView) -> tuple[list[Part], list[Part]]:
    """What stands at the left, the run, and at the right, how it stands."""
    left = [
        Part(1, "pe-explore", "title"),
        Part(10, safe(view.model, 60)),
        Part(6, f"· {view.run}" if view.run else ""),
        Part(3, f"· {safe(view.data, 40)}" if view.data else ""),
        Part(2, f"· policy {safe(view.policy, 20)}" if view.policy else ""),
    ]
    device = _device_text(view.paused, view.device)
    right = [
        Part(9, "◀ past" if view.past else "", "warning"),
        Part(8, "read-only" if view.read_only else "", "warning"),
        Part(8, _awaiting_text(view.awaiting), "key"),
        Part(7, _doubts_text(view.num_doubts), "warning"),
        Part(7, _best_text(view.best), "good"),
        Part(5, view.alone, "warning"),
        Part(6 if view.paused else 4, device, "warning" if view.paused else ""),
    ]
    return [p for p in left if p.text], [p for p in right if p.text]


def title_line(left: Sequence[Part], right: Sequence[Part], width: int) -> list[Piece]:
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


def _cells(parts: Sequence[Part], right: Sequence[Part]) -> int:
    """What the parts take, with a gap of two cells before the right ones and between them."""
    return sum(cell_len(p.text) + (2 if p in right else 1) for p in parts)


def _joined(parts: Sequence[Part], gap: str) -> list[Piece]:
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
