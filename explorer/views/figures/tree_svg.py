"""The tree as a figure for a paper: layers to the left, filters to the right, kept ones heavy."""

from __future__ import annotations

from collections.abc import Iterable

from explorer.views.figures.svg import document, element, line, polyline, text
from explorer.views.pareto.view import kind_of
from explorer.views.tree.layout import TreeLayout
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

_COLUMN, _ROW = 42.0, 78.0
_TOP = 36.0
_TOLD_BELOW, _NOTHING_BELOW = 41.0, 8.0  # from a node to where its branches begin
_AROUND, _BELOW = 60.0, 46.0
_LAYER, _UNITS, _GREEN, _GREY = "#1f5fa8", "#b26a00", "#1a7f37", "#8a8a8a"
_SIDES = {"layer": _LAYER, "root": "#222222"}
_MOST_TOLD = 400  # nodes, up to which figures stand beside them


def tree_svg(nodes: Iterable[TreeNode], best: str, title: str = "Tree") -> str:
    """Every node of a tree with its similarity, accuracy and the MACs that are gone."""
    model = TreeModel(nodes)
    layout = TreeLayout(model)
    places = [
        (_AROUND + column * _COLUMN, _TOP + depth * _ROW)
        for column, depth in zip(layout.columns, layout.depths, strict=True)
    ]
    is_told = len(model.nodes) <= _MOST_TOLD
    begins = _TOLD_BELOW if is_told else _NOTHING_BELOW
    edges = [
        (bool(node.kept), _edge(node, places[parent], place, begins))
        for node, parent, place in zip(model.nodes, model.parents, places, strict=True)
        if parent >= 0
    ]
    inside = [edge for is_kept, edge in edges if not is_kept]
    inside += [edge for is_kept, edge in edges if is_kept]  # over the rest
    for node, place in zip(model.nodes, places, strict=True):
        inside.append(_node(node, place, best))
        if is_told:
            inside += _figures(node, place, best)
    width = 2 * _AROUND + max(layout.num_columns - 1, 0) * _COLUMN
    height = _TOP + (len(layout.rows) - 1) * _ROW + _BELOW
    legend = _legend(max(width, 560.0), height)
    return document(max(width, 560.0), height + 24, title, [*inside, *legend])


def _edge(
    node: TreeNode, above: tuple[float, float], below: tuple[float, float], begins: float
) -> str:
    """From under a parent's figures to a child, along lines and columns."""
    kept = bool(node.kept)
    colour = _SIDES.get(node.structure, _UNITS) if kept else "#bbbbbb"
    turn = above[1] + begins + 9
    corners = [(above[0], above[1] + begins), (above[0], turn), (below[0], turn), below]
    return polyline(corners, stroke=colour, stroke_width=2.4 if kept else 1.0)


def _node(node: TreeNode, place: tuple[float, float], best: str) -> str:
    x, y = place
    kind = kind_of(node, best)
    colour = {"best": _GREEN, "kept": _GREEN, "undecided": "#222222"}.get(kind, _GREY)
    fill = colour if kind in ("best", "kept") else "#ffffff"
    shape = element(
        "circle", cx=x, cy=y, r=6.5 if kind == "best" else 5.0, fill=fill, stroke=colour,
        stroke_width=1.4, stroke_dasharray="2 2" if kind == "undecided" else None,
    )  # fmt: skip
    if kind == "best":
        shape += element("circle", cx=x, cy=y, r=9.5, fill="none", stroke=colour)
    return shape


def _figures(node: TreeNode, place: tuple[float, float], best: str) -> list[str]:
    """What is told below a node: its letter beside it, its figures in lines."""
    x, y = place
    colour = _SIDES.get(node.structure, _UNITS)
    name = node.name.rpartition(".")[2]
    found = [
        text(
            x + (14 if node.name == best else 11),
            y + 4,
            name,
            font_size=11,
            font_weight="bold",
            fill=colour,
        )
    ]
    told = [
        "" if node.similarity is None else f"CKA {node.similarity:.4f}",
        "" if node.val_accuracy is None else f"val {node.val_accuracy:.1f}%",
        "" if not node.macs_reduction else f"MACs −{node.macs_reduction:.1f}%",
    ]
    fill = "#222" if node.kept or node.kept is None else "#777"
    for number, words in enumerate(filter(None, told)):
        found.append(
            text(x, y + 17 + number * 9.5, words, font_size=8.5, text_anchor="middle", fill=fill)
        )
    return found


def _legend(width: float, y: float) -> list[str]:
    told = (
        (_GREEN, _GREEN, "kept"), ("#fff", _GREY, "rejected"), ("#fff", "#222222", "undecided"),
    )  # fmt: skip
    found, x = [], _AROUND / 2
    for fill, stroke, words in told:
        dashes = "2 2" if words == "undecided" else None
        found.append(
            element(
                "circle", cx=x, cy=y + 8, r=4.0, fill=fill, stroke=stroke, stroke_dasharray=dashes
            )
        )
        found.append(text(x + 9, y + 12, words, font_size=10))
        x += 70
    for colour, words in ((_LAYER, "a layer went"), (_UNITS, "filters went")):
        found.append(line(x, y + 8, x + 18, y + 8, stroke=colour, stroke_width=2.4))
        found.append(text(x + 24, y + 12, words, font_size=10))
        x += 110
    found.append(element("circle", cx=x, cy=y + 8, r=4.0, fill=_GREEN))
    found.append(element("circle", cx=x, cy=y + 8, r=7.0, fill="none", stroke=_GREEN))
    found.append(text(x + 12, y + 12, "best", font_size=10))
    return found
