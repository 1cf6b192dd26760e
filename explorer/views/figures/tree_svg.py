"""The tree as a figure for a paper: layers to the left, filters to the right, kept ones heavy.

What is below rejected nodes is folded, as in the app, unless the whole tree is asked for. It fits a
page: deep trees stand in strips beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from engine.contracts.methods.similarities import called
from explorer.views.counting import counted
from explorer.views.figures.svg import document, element, line, polyline, text
from explorer.views.figures.tree_page import DOTS, ROOMY, Page, page_of, shown
from explorer.views.pareto.view import kind_of
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

_TOLD_BELOW, _NOTHING_BELOW = 41.0, 8.0  # from a node to where its branches begin
_AROUND = 60.0
_LAYER, _UNITS, _GREEN, _GREY = "#1f5fa8", "#b26a00", "#1a7f37", "#8a8a8a"
_SIDES = {"layer": _LAYER, "root": "#222222"}
_COLUMNS = (56.0, 86.0, 118.0)  # where figures on one line end, from their node
_OWN = 130.0  # what they take at its right
_LEAST_WIDTH = 560.0  # of the legend

Place = tuple[float, float]


def tree_svg(
    nodes: Iterable[TreeNode], best: str, title: str = "Tree", *, whole: bool = False
) -> str:
    """A tree with the similarity, accuracy and MACs that are gone of each node; `whole`: also what
    is below rejected nodes."""
    model = TreeModel(nodes)
    if whole:
        model.folded.clear()
    page = page_of(model)
    edges = [
        (bool(model.nodes[number].kept), _edge(page, number))
        for number in shown(page)
        if model.parents[number] >= 0 and not _is_aside(page, number)
    ]
    inside = [edge for is_kept, edge in edges if not is_kept]
    inside += [edge for is_kept, edge in edges if is_kept]  # over the rest
    for number in shown(page):
        inside += _drawn(page, number, best)
    width = max(page.width, _LEAST_WIDTH)
    legend = _legend(width, page.height)
    return document(
        width, page.height + 24, title, [*inside, *legend], scale=page.scale
    )  # fmt: skip


def _is_aside(page: Page, number: int) -> bool:
    """Whether a node stands beside its sibling, without a line of its own."""
    return page.layout.is_stub(number)


def _edge(page: Page, number: int) -> str:
    """From under a parent's figures to a child, along lines and columns; where the parent stands in
    another strip, its name and a line down."""
    model, place = page.model, page.places[number]
    node, parent = model.nodes[number], model.parents[number]
    kept = bool(node.kept)
    colour = _SIDES.get(node.structure, _UNITS) if kept else "#bbbbbb"
    look = {"stroke": colour, "stroke_width": 2.4 if kept else 1.0}
    x, y = place
    if number in page.begins:
        above = fitted_name(model.nodes[parent].name, 18)
        told = text(x, y - 16, f"… {above}", font_size=7.5, text_anchor="middle", fill=_GREY)
        return told + polyline([(x, y - 13), place], stroke_dasharray="2 2", **look)
    from_x, from_y = page.places[parent]
    if page.style is ROOMY:
        from_y += _TOLD_BELOW
        turn = from_y + 9
    else:
        turn = from_y + page.style.row / 2
    return polyline([(from_x, from_y), (from_x, turn), (x, turn), place], **look)


def _drawn(page: Page, number: int, best: str) -> list[str]:
    """A node: its mark, and what is told of it."""
    node, place = page.model.nodes[number], page.places[number]
    folded = ""
    if number in page.model.folded:
        folded = f"+{page.model.num_below[number]:,}"
    about = element("title", _about(node, page.model.num_below[number]))
    if page.style is ROOMY:
        mark = element("g", _node(node, place, best) + about)
        return [mark, *_figures(node, place, best, folded)]
    if page.style is DOTS:
        return [element("g", _node(node, place, best, 0.6) + about)]
    if _is_aside(page, number):
        return [_beside(node, place, page.model.sides[number] < 0, folded)]
    return [
        element("g", _node(node, place, best, 0.75) + about),
        *_on_one_line(page, number, folded),
    ]


def _on_one_line(page: Page, number: int, folded: str) -> list[str]:
    """A node's letter and figures in columns; above the first one what they are."""
    node, (x, y) = page.model.nodes[number], page.places[number]
    found = [text(x + 9, y + 3, _letter(node), font_size=9, font_weight="bold", fill=_colour(node))]
    if number == 0 or number in page.begins:
        heads = zip(_COLUMNS, (called(node.similarity_by).short, "val", "MACs"), strict=True)
        found += [_figure(x + at, y - 11, words, "#777") for at, words in heads]
    told = (
        "" if node.similarity is None else f"{node.similarity:.4f}",
        "" if node.val_accuracy is None else f"{node.val_accuracy:.1f}%",
        "" if not node.macs_reduction else f"−{node.macs_reduction:.1f}%",
    )
    for at, words in zip(_COLUMNS, told, strict=True):
        found += [_figure(x + at, y + 3, words, _ink(node))] if words else []
    if folded:
        found.append(text(x + _COLUMNS[-1] + 6, y + 3, folded, font_size=8, fill="#777"))
    return found


def _figure(x: float, y: float, words: str, fill: str) -> str:
    return text(x, y, words, font_size=8, text_anchor="end", fill=fill)


def _about(node: TreeNode, below: int) -> str:
    told = [node.name, *_told(node), counted(below, "node") + " below" if below else ""]
    return escape(safe(", ".join(filter(None, told)), 400))


def _beside(node: TreeNode, place: Place, at_left: bool, folded: str) -> str:
    """A rejected sibling on one line with what was kept instead."""
    x, y = place
    similarity = "" if node.similarity is None else f"{node.similarity:.4f}"
    said = " ".join(filter(None, (_letter(node), similarity, folded)))
    at = x - 14 if at_left else x + _OWN
    mark = element("circle", cx=at, cy=y, r=2.6, fill="#fff", stroke=_GREY, stroke_width=1.0)
    end = {"text_anchor": "end"} if at_left else {}
    told = text(at - 5 if at_left else at + 5, y + 3, said, font_size=7.5, fill="#777", **end)
    return mark + told


def _letter(node: TreeNode) -> str:
    return node.name.rpartition(".")[2]


def _colour(node: TreeNode) -> str:
    return _SIDES.get(node.structure, _UNITS)


def _ink(node: TreeNode) -> str:
    return "#222" if node.kept or node.kept is None else "#777"


def _told(node: TreeNode) -> list[str]:
    by = called(node.similarity_by).title
    told = [
        "" if node.similarity is None else f"{by} {node.similarity:.4f}",
        "" if node.val_accuracy is None else f"val {node.val_accuracy:.1f}%",
        "" if not node.macs_reduction else f"MACs −{node.macs_reduction:.1f}%",
    ]
    return [words for words in told if words]


def _node(node: TreeNode, place: Place, best: str, size: float = 1.0) -> str:
    x, y = place
    kind = kind_of(node, best)
    colour = {"best": _GREEN, "kept": _GREEN, "undecided": "#222222"}.get(kind, _GREY)
    fill = colour if kind in ("best", "kept") else "#ffffff"
    shape = element(
        "circle", cx=x, cy=y, r=size * (6.5 if kind == "best" else 5.0), fill=fill, stroke=colour,
        stroke_width=1.4 * size, stroke_dasharray="2 2" if kind == "undecided" else None,
    )  # fmt: skip
    if kind == "best":
        shape += element("circle", cx=x, cy=y, r=9.5 * size, fill="none", stroke=colour)
    return shape


def _figures(node: TreeNode, place: Place, best: str, folded: str) -> list[str]:
    """What is told below a node: its letter beside it, its figures in lines."""
    x, y = place
    across = x + (14 if node.name == best else 11)
    letter = " ".join(filter(None, (_letter(node), folded)))
    found = [text(across, y + 4, letter, font_size=11, font_weight="bold", fill=_colour(node))]
    for number, words in enumerate(_told(node)):
        at = y + 17 + number * 9.5
        found.append(text(x, at, words, font_size=8.5, text_anchor="middle", fill=_ink(node)))
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
