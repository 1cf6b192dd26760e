"""What a node and its connector look like in characters, each piece with a tone, not a colour.

A tone is the name of a component class of the canvas (`tree--kept`); the theme gives it its style.
Every state has a shape of its own, so that nothing depends on colour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from rich.cells import cell_len

from engine.contracts.edits import LAYER
from engine.contracts.metrics import measure
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import (
    Piece,
    accuracy_text,
    fit,
    macs_text,
    short_name,
    similarity_text,
    sparkline,
)
from explorer.views.node_view import NodeView
from explorer.views.run_names import fitted_name
from explorer.views.standing import BEST, GLYPHS, MARKED, TAGGED, standing
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

FOLD = "⋮"
_BAR = 8  # cells of a bar behind a chip, at least
ACCURACY, MACS = (measure(key).short for key in ("val_accuracy", "macs_reduction"))
TONES = (*dict.fromkeys(("kept", "rejected", "running", "queued", "undecided", "failed")),
         "layer", "units", "best", "sign", "fold", "edge", "path", "figures", "label", "bar",
         "match", "unmatched", "cursor", "resting", "crumb", "map", "seen")  # fmt: skip

# By the arms up, down, left, right (each 0 none, 1 light, 2 heavy) read as a number of base 3.
_BOX = " ╶╺╴─╼╸╾━╷┌┍┐┬┮┑┭┯╻┎┏┒┰┲┓┱┳╵└┕┘┴┶┙┵┷│├┝┤┼┾┥┽┿╽┟┢┧╁╆┪╅╈╹┖┗┚┸┺┛┹┻╿┞┡┦╀╄┩╃╇┃┠┣┨╂╊┫╉╋"


def box(up: int, down: int, left: int, right: int) -> str:
    """The box-drawing character with these arms: 0 none, 1 light, 2 heavy."""
    return _BOX[27 * up + 9 * down + 3 * left + right]


@dataclass(frozen=True)
class Look:
    """What the person and the run put on a tree; nodes by their names, the cursor by its number."""

    cursor: int = -1
    focused: bool = True  # whether keys go to the tree
    best: str | None = None
    marked: Set[str] = frozenset()
    at_length: Callable[[str], NodeView | None] = lambda name: None
    made: dict[int, list[list[Piece]]] = field(default_factory=dict)  # nodes of several lines


def tone_of(node: TreeNode) -> str:
    word = standing(node)
    return "failed" if word == "cancelled" else word


def signs(node: TreeNode, look: Look) -> list[Piece]:
    """`★⚑✓`: best, tagged, marked."""
    return [
        (sign, "best" if sign == BEST else "sign")
        for sign, is_so in (
            (BEST, node.name == look.best),
            (TAGGED, node.tagged),
            (MARKED, node.name in look.marked),
        )
        if is_so
    ]


def word_of(node: TreeNode) -> str:
    """How a node stands, in a word."""
    word = "root" if node.parent is None and node.state == "ready" else standing(node)
    return "awaits you" if word == "undecided" else word


def bar_tone(figures: str) -> str:
    """That of a bar beside figures: it steps back, and where they do, it is as they are."""
    return "bar" if figures == "figures" else figures


def letter_tone(node: TreeNode) -> str:
    """That of what the node goes without; what is over has none."""
    tone = tone_of(node)
    if node.parent is None or tone in ("rejected", "failed", "queued"):
        return tone
    return "layer" if node.structure == LAYER else "units"


def last_part(name: str) -> str:
    """The name below the parent; nothing is made of the rest, which may be long."""
    return name[name.rfind(".") + 1 :]


def dot(node: TreeNode, look: Look) -> list[Piece]:
    return [(GLYPHS[standing(node)], tone_of(node)), *signs(node, look)]


def chip(node: TreeNode, look: Look, width: int) -> list[Piece]:
    """`●L★ .9931 93.4%`: state, structure, similarity to the parent, validation accuracy; with more
    room the MACs that are gone."""
    tone = tone_of(node)
    head = [
        (GLYPHS[standing(node)], tone),
        (short_name(last_part(node.name), 4), letter_tone(node)),
        *signs(node, look),
    ]
    room = width - sum(cell_len(text) for text, _ in head) - 1
    if node.running_share is not None:
        return [*head, (f" {_progress(node.running_share, 6)}", "running")]
    cka, accuracy = similarity_text(node.similarity), accuracy_text(node.val_accuracy)
    macs = macs_text(node.macs_reduction) if node.parent and node.macs_reduction else ""
    if not (cka or accuracy):
        return [*head, (" " + standing(node), tone)]
    variants = [" ".join(filter(None, each)) for each in ((cka, accuracy, macs), (cka, accuracy))]
    figures = fig.first_fitting([*variants, accuracy or cka], room)
    shown = [*head, (" " + figures, _figures_tone(tone))]
    if macs and (room := room - len(figures) - 2) >= _BAR:
        shown.append((" " + macs_left(node, min(room, 2 * _BAR)), bar_tone(_figures_tone(tone))))
    return shown


def stub(model: TreeModel, number: int, look: Look, width: int, side: int) -> list[Piece]:
    """A rejected sibling, small: `○L .9596─` left of the path, `─○F` right of it. Where there is
    one cell for it, the line that leads to it is left out."""
    node = model.nodes[number]
    tone = tone_of(node)
    if width < 3:
        marked = signs(node, look)
        return marked[:1] or [(GLYPHS[standing(node)], tone)]
    signed = signs(node, look)
    if number in model.folded:
        signed.append((f"{FOLD}{model.num_below[number]}", "fold"))
    taken = sum(cell_len(text) for text, _ in signed)
    name = short_name(last_part(node.name), max(width - 2 - taken, 1))
    head = fit([(GLYPHS[standing(node)], tone), (name, tone), *signed], width - 1)
    room = width - 1 - sum(cell_len(text) for text, _ in head)
    figures = [similarity_text(node.similarity), accuracy_text(node.val_accuracy)]
    while figures and len(" ".join(figures)) + 1 > room:
        figures.pop()
    if figures and figures[0]:
        head.append((" " + " ".join(figures), tone))
        room -= len(" ".join(figures)) + 1
    return [(" " * room, ""), *head, ("─", "edge")] if side < 0 else [("─", "edge"), *head]


def card(model: TreeModel, number: int, look: Look, width: int) -> list[list[Piece]]:
    """Four lines: name; similarity and standing; accuracy along the way; the MACs that are left.

    The rail below the glyph carries the connector on to the children.
    """
    node, tone = model.nodes[number], tone_of(model.nodes[number])
    rail = _rail(model, number)
    figures = "figures" if node.live and tone != "queued" else tone
    signed = signs(node, look)
    name = fitted_name(node.name, width - 2 - (len(signed) + 1 if signed else 0))
    head = [(f"{GLYPHS[standing(node)]} ", tone), *name_pieces(node, name)]
    lines = [[*head, *([(" ", "")] if signed else []), *signed]]
    room = width - 2 - 13  # beside label and figure
    if node.running_share is not None:
        first = _progress(node.running_share, width - 9)
    else:
        by = measure("similarity", node.similarity_by).short
        first = f"{by:<4} {similarity_text(node.similarity) or '–':<6} {word_of(node):>{room}}"
    second = (
        f"{ACCURACY:<4} {accuracy_text(node.val_accuracy) or '–':<6} "
        f"{sparkline(way_here(model, number, room)):>{room}}"
    )
    lines += [[rail, (text.rstrip(), figures)] for text in (first, second)]
    third = f"{MACS:<4} {macs_text(node.macs_reduction):<6}  "
    lines.append([rail, (third, figures), (macs_left(node, room - 1), bar_tone(figures))])
    return lines


def name_pieces(node: TreeNode, shown: str) -> list[Piece]:
    """A name whose last part has the tone of what the node goes without."""
    way, dot_, last = shown.rpartition(".")
    tone = tone_of(node)
    return [(text, at) for text, at in ((way + dot_, tone), (last, letter_tone(node))) if text]


def way_here(model: TreeModel, number: int, longest: int) -> list[float | None]:
    """The validation accuracy from an ancestor on down to the node, nothing where it has none."""
    if model.nodes[number].val_accuracy is None:
        return []
    return [model.nodes[i].val_accuracy for i in model.lineage(number, min(longest, 24))]


def _progress(share: float, width: int) -> str:
    return f"{fig.bar(share, width, fig.COARSE_PROGRESS)} {fig.share_text(share)}"


def macs_left(node: TreeNode, width: int) -> str:
    """What is left of the root's multiply-accumulates, as a bar."""
    reduction = node.macs_reduction
    return "" if reduction is None else fig.bar(1 - reduction / 100, width, fig.LEFT)


def _rail(model: TreeModel, number: int) -> Piece:
    if not model.children[number]:
        return "  ", "edge"
    return ("┃ ", "path") if has_heavy_line(model, number) else ("│ ", "edge")


def has_heavy_line(model: TreeModel, number: int) -> bool:
    """Whether a shown child of the node is kept."""
    return number not in model.folded and model.kept_child(number) is not None


def _figures_tone(tone: str) -> str:
    return "figures" if tone in ("kept", "undecided") else tone


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
