"""How a node stands, in one word and as a shape that needs no colour."""

from __future__ import annotations

from typing import Protocol

from engine.contracts.edits import LAYER

GLYPHS = {
    "kept": "●",
    "rejected": "○",
    "running": "◐",
    "queued": "◌",
    "undecided": "◇",
    "failed": "✗",
    "cancelled": "✗",
}
BEST, TAGGED, MARKED = "★", "⚑", "✓"  # signs behind a node's name, in this order
SUGGESTED = "→"
LAYER_MARK, UNITS_MARK = "▬", "▮"  # what a candidate goes without


def structure_mark(structure: str) -> str:
    """The mark of what a candidate goes without."""
    return LAYER_MARK if structure == LAYER else UNITS_MARK


class Standing(Protocol):
    """A node as far as its standing goes."""

    @property
    def parent(self) -> str | None: ...
    @property
    def state(self) -> str: ...
    @property
    def kept(self) -> bool | None: ...


def standing(node: Standing) -> str:
    """The one word for how a node stands, a key of GLYPHS."""
    if node.state in ("running", "queued", "failed", "cancelled"):
        return node.state
    if node.kept is None:
        return "kept" if node.parent is None else "undecided"
    return "kept" if node.kept else "rejected"
