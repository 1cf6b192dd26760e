"""A node in a frame, where there is room: what went, and its figures with their bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from engine.contracts.edits import LAYER
from engine.contracts.methods.similarities import called
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing import tree as drawing
from explorer.tui.drawing.cells import Piece, fit, macs_text, similarity_text, sparkline
from explorer.views.disturbed import is_disturbed
from explorer.views.node_view import NodeView
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe
from explorer.views.standing import GLYPHS, standing, structure_mark
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

_LABEL, _FIGURE, _LONG = 9, 12, 15  # cells of a row's first columns; of a figure with its count
_WIDE = 36  # cells within a sheet from which there is room for that
_LINES = 6
_LOWEST_CKA = 0.9  # where the bar of a similarity begins, unless it is lower


class _Tones(NamedTuple):
    """What a sheet is drawn in: its glyph, its frame, its labels and its figures."""

    node: str
    edge: str
    label: str
    figures: str


def sheet(
    model: TreeModel, number: int, look: drawing.Look, size: tuple[int, int], stem: int
) -> list[list[Piece]]:
    """As many lines as its size has, eight at least: a frame with the name and the standing, heavy
    where the node is kept, and in it what was removed, similarity, accuracy and its way,
    multiply-accumulates and parameters."""
    node = model.nodes[number]
    width, height = size
    tone = drawing.tone_of(node)
    heavy = tone == "kept"
    edge = "path" if heavy else "figures" if tone == "undecided" else "edge"
    is_over = tone in ("rejected", "failed", "queued")
    tones = _Tones(tone, edge, tone if is_over else "label", tone if is_over else "figures")
    side = "┃" if heavy else "│"
    inside = _rows(model, number, look.at_length(node.name), width - 4, tones)
    inside = (inside + [[]] * _LINES)[:_LINES]
    if height >= 2 * _LINES + 1:  # air between the rows
        inside = [line for row in inside for line in (row, [])][: height - 2]
    return [
        _top(node, look, width, heavy, tones),
        *([(side + " ", edge), *_filled(line, width - 4), (" " + side, edge)] for line in inside),
        _bottom(model, number, width, stem, heavy, tones),
    ]


# ------------------------------------------------------------ the frame


def _filled(line: Sequence[Piece], width: int) -> list[Piece]:
    pieces = fit(line, width)
    return [*pieces, (" " * (width - sum(cell_len(text) for text, _ in pieces)), "")]


def _top(node: TreeNode, look: drawing.Look, width: int, heavy: bool, tones: _Tones) -> list[Piece]:
    line = "━" if heavy else "─"
    word = drawing.word_of(node)
    signed = drawing.signs(node, look)
    room = width - len(word) - 10 - (len(signed) + 1 if signed else 0)
    title = [
        (f" {GLYPHS[standing(node)]} ", tones.node),
        *drawing.name_pieces(node, fitted_name(node.name, max(room, 4))),
        *([(" ", "")] if signed else []), *signed, (" ", ""),
    ]  # fmt: skip
    rest = width - 6 - len(word) - sum(cell_len(text) for text, _ in title)
    corners = ("┏", "┓") if heavy else ("┌", "┐")
    return [
        (corners[0] + line, tones.edge), *title, (line * max(rest, 1), tones.edge),
        (f" {word} ", tones.node), (line + corners[1], tones.edge),
    ]  # fmt: skip


def _bottom(
    model: TreeModel, number: int, width: int, stem: int, heavy: bool, tones: _Tones
) -> list[Piece]:
    line, weight = ("━", 2) if heavy else ("─", 1)
    left, right = ("┗", "┛") if heavy else ("└", "┘")
    down = 0
    if model.children[number]:
        down = 2 if drawing.has_heavy_line(model, number) else 1
    joint = drawing.box(0, down, weight, weight)
    return [(left + line * (stem - 1) + joint + line * (width - stem - 2) + right, tones.edge)]


# ------------------------------------------------------------ within it


def _rows(
    model: TreeModel, number: int, known: NodeView | None, width: int, tones: _Tones
) -> list[list[Piece]]:
    node = model.nodes[number]
    cells = _LONG if width >= _WIDE else _FIGURE
    room = max(width - _LABEL - cells - 1, 0)

    def row(label: str, figure: str, more: str = "") -> list[Piece]:
        figure = figure.ljust(cells) + " " if more else figure
        is_bar = more.startswith(fig.LEFT.full) or more.startswith(fig.LEFT.empty)
        tone = drawing.bar_tone(tones.figures) if is_bar else tones.figures
        return [(label.ljust(_LABEL), tones.label), (figure, tones.figures), (more, tone)]

    rows = [_what_went(node, known, width, tones)]
    progress: list[Piece] = []
    if node.running_share is not None:
        share = fig.bar(node.running_share, width - 5, fig.PROGRESS)
        progress = [(f"{share} {fig.share_text(node.running_share)}", "running")]
    if progress and node.similarity is None:
        rows.append(progress)
        progress = []
    elif node.parent is not None:
        by = called(node.similarity_by).short
        rows.append(row(by, similarity_text(node.similarity) or "–", _cka_bar(node, room)))
    rows.append(row("val acc", _accuracy(node, known), _way(model, number, room)))
    if (tested := _measured(known, "test_accuracy")) is not None:
        rows.append(row("test acc", f"{tested:.1f}%"))
    if node.macs_reduction is not None:
        rows.append(row("MACs", _macs(node, known, cells), drawing.macs_left(node, room)))
    if (count := _measured(known, "params")) is not None:
        rows.append(row("params", fig.count_text(count)))
    if (ratio := _measured(known, "latency_ratio")) is not None:
        busy = known is not None and is_disturbed(known)
        rows.append(row("latency", "machine busy" if busy else f"{ratio:.2f}× parent"))
    last = progress or _below(known, tones)
    return [*rows[: _LINES - bool(last)], last]


def _measured(known: NodeView | None, key: str) -> float | None:
    return None if known is None else known.metrics.get(key)


def _what_went(node: TreeNode, known: NodeView | None, width: int, tones: _Tones) -> list[Piece]:
    """`▬ without layer1.3`."""
    if node.parent is None:
        return [("the network as it was given", tones.label)]
    what = "–" if known is None or not known.removes else safe(known.removes, 200)
    word = "block " if node.structure == LAYER and "," not in what else ""
    what = fig.cut(what, width - len(f"x without {word}"))
    return [
        (f"{structure_mark(node.structure)} ", drawing.letter_tone(node)),
        (f"without {word}", tones.label), (what, tones.figures),
    ]  # fmt: skip


def _cka_bar(node: TreeNode, room: int) -> str:
    """From .9 on, so that the usual values can be told apart."""
    if node.similarity is None:
        return ""
    low = _LOWEST_CKA if node.similarity >= _LOWEST_CKA else 0.0
    return fig.bar((node.similarity - low) / (1 - low), room, fig.LEFT)


def _accuracy(node: TreeNode, known: NodeView | None) -> str:
    """`81.3 → 92.8%`: before and after recovery."""
    if node.val_accuracy is None:
        return "–"
    before = _measured(known, "val_accuracy_before")
    after = f"{node.val_accuracy:.1f}%"
    return after if before is None or node.parent is None else f"{before:.1f} → {after}"


def _macs(node: TreeNode, known: NodeView | None, room: int) -> str:
    """`−7.1% 116.60 M`: what is gone of the root's, and how many are left."""
    gone = macs_text(node.macs_reduction)
    count = _measured(known, "macs")
    if count is None:
        return gone
    left = fig.count_text(count)
    return left if node.parent is None else fig.first_fitting((f"{gone} {left}", gone), room)


def _way(model: TreeModel, number: int, room: int) -> str:
    """The change since the root, and the accuracy along the way."""
    node, root = model.nodes[number], model.nodes[0].val_accuracy
    if node.parent is None or root is None or node.val_accuracy is None:
        return ""
    change = fig.signed(node.val_accuracy - root, 1, True)
    return f"{change:<5}{sparkline(drawing.way_here(model, number, max(room - 5, 1)))}"


def _below(known: NodeView | None, tones: _Tones) -> list[Piece]:
    """What went wrong, what was written on it, or what was decided of its candidates."""
    if known is None:
        return []
    if known.error:
        return [(safe(known.error, 200), "failed")]
    if known.tags or known.note:
        said = " ".join((*(f"#{tag}" for tag in known.tags), known.note or ""))
        return [(safe(said, 200), "sign")]
    margin = known.margin
    if margin is None:
        return []
    close = " too close" if margin.too_close else ""
    return [("margin".ljust(_LABEL), tones.label), (fig.signed(margin.value, 4), tones.figures),
            (close, "sign")]  # fmt: skip
