"""What a node and its connector look like in characters, each piece with a tone, not a colour.

A tone is the name of a component class of the canvas (`tree--kept`); the theme gives it its style.
Every state has a shape of its own, so that nothing depends on colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from engine.contracts.metrics import measure
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import (
    Piece,
    accuracy_text,
    macs_text,
    short_name,
    similarity_text,
    sparkline,
)
from explorer.views.standing import GLYPHS, standing
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode


class Zoom(NamedTuple):
    """One step of the semantic zoom. Two columns less one cell are what a node may fill."""

    name: str
    column: int  # cells
    height: int  # lines of a node; one more line holds the connectors

    @property
    def width(self) -> int:
        return 2 * self.column - 1

    @property
    def pitch(self) -> int:
        return self.height + 1


ZOOMS = (Zoom("dots", 2, 1), Zoom("chips", 9, 1), Zoom("cards", 13, 4))
_CKA, _ACCURACY, _MACS = (
    measure(key).short for key in ("similarity", "val_accuracy", "macs_reduction")
)
TAG, FOLD = "⚑", "⋮"
TONES = (*dict.fromkeys(("kept", "rejected", "running", "queued", "undecided", "failed")),
         "tag", "fold", "edge", "path", "figures", "match", "unmatched", "cursor")  # fmt: skip

# By the arms up, down, left, right (each 0 none, 1 light, 2 heavy) read as a number of base 3.
_BOX = " ╶╺╴─╼╸╾━╷┌┍┐┬┮┑┭┯╻┎┏┒┰┲┓┱┳╵└┕┘┴┶┙┵┷│├┝┤┼┾┥┽┿╽┟┢┧╁╆┪╅╈╹┖┗┚┸┺┛┹┻╿┞┡┦╀╄┩╃╇┃┠┣┨╂╊┫╉╋"


def box(up: int, down: int, left: int, right: int) -> str:
    """The box-drawing character with these arms: 0 none, 1 light, 2 heavy."""
    return _BOX[27 * up + 9 * down + 3 * left + right]


def tone_of(node: TreeNode) -> str:
    word = standing(node)
    return "failed" if word == "cancelled" else word


def dot(node: TreeNode) -> list[Piece]:
    glyph = GLYPHS[standing(node)]
    return [(glyph, tone_of(node)), *([(TAG, "tag")] if node.tagged else [])]


def chip(node: TreeNode) -> list[Piece]:
    """`●L .9931 93.4%`: state, structure, similarity to the parent, validation accuracy."""
    tone = tone_of(node)
    label = short_name(node.name.rsplit(".", 1)[-1], 4)
    if node.running_share is not None:
        figures = _progress(node.running_share, 6)
    else:
        known = (similarity_text(node.similarity), accuracy_text(node.val_accuracy))
        figures = " ".join(text for text in known if text) or standing(node)
    return [*dot(node), (f"{label} ", tone), (figures, _figures_tone(tone))]


def card(model: TreeModel, number: int, width: int) -> list[list[Piece]]:
    """Four lines: name; similarity and standing; accuracy along the way; the MACs that are left.

    The rail below the glyph carries the connector on to the children.
    """
    node, tone = model.nodes[number], tone_of(model.nodes[number])
    rail = _rail(model, number)
    figures = "figures" if node.live and tone != "queued" else tone
    name = short_name(node.name, width - 2 - 2 * node.tagged)
    lines = [[(f"{GLYPHS[standing(node)]} {name}", tone), *([(f" {TAG}", "tag")] * node.tagged)]]
    if node.running_share is not None:
        first = _progress(node.running_share, width - 9)
    else:
        first = f"{_CKA:<4} {similarity_text(node.similarity) or '–':<6} {standing(node):>9}"
    way = [] if node.val_accuracy is None else model.lineage(number, 8)
    accuracies = [model.nodes[i].val_accuracy for i in way]
    second = (
        f"{_ACCURACY:<4} {accuracy_text(node.val_accuracy) or '–':<6} {sparkline(accuracies):>9}"
    )
    third = f"{_MACS:<4} {macs_text(node.macs_reduction):<6} {_macs_left(node.macs_reduction)}"
    lines += [[rail, (text.rstrip(), figures)] for text in (first, second, third)]
    return lines


def _progress(share: float, width: int) -> str:
    return f"{fig.bar(share, width, fig.COARSE_PROGRESS)} {fig.share_text(share)}"


def _macs_left(reduction: float | None) -> str:
    """What is left of the root's multiply-accumulates, as a bar."""
    return "" if reduction is None else fig.bar(1 - reduction / 100, 9, fig.LEFT)


def _rail(model: TreeModel, number: int) -> Piece:
    if not model.children[number]:
        return "  ", "edge"
    heavy = number not in model.folded and model.kept_child(number) is not None
    return ("┃ ", "path") if heavy else ("│ ", "edge")


def _figures_tone(tone: str) -> str:
    return "figures" if tone == "kept" else tone


def connector(
    own: int, children: Sequence[tuple[int, bool]], left: int, right: int
) -> list[tuple[int, str, str]]:
    """The line from a parent's cell to its children's (cell, kept), as (cell, text, tone) pieces.

    Only what lies in [left, right) is made, as the children may be thousands of cells apart.
    Heavy towards kept children, light elsewhere, joined where they meet.
    """
    kept = [cell for cell, is_kept in children if is_kept]
    heavy_from, heavy_to = min([own, *kept]), max([own, *kept])
    down = {cell: 1 + is_kept for cell, is_kept in children}
    cells = sorted({own, *down})

    def weight(start: int, end: int) -> int:
        return 2 if heavy_from <= start and end <= heavy_to else 1

    pieces = []
    before = 0  # the weight of the line that reaches this cell from its left
    for place, cell in enumerate(cells):
        is_last = place + 1 == len(cells)
        after = 0 if is_last else weight(cell, cells[place + 1])
        up = (2 if kept else 1) if cell == own else 0
        if left <= cell < right:
            arms = (up, down.get(cell, 0), before, after)
            pieces.append((cell, box(*arms), "path" if 2 in arms else "edge"))
        if not is_last:
            start, end = max(cell + 1, left), min(cells[place + 1], right)
            if start < end:
                line = ("━" if after == 2 else "─") * (end - start)
                pieces.append((start, line, "path" if after == 2 else "edge"))
        before = after
    return pieces
