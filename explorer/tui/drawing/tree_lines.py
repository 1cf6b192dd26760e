"""A line of the drawn tree as pieces: nodes, connectors, folds and stubs that touch it. Pure."""

from __future__ import annotations

from rich.cells import cell_len

from explorer.tui.drawing import tree as drawing
from explorer.tui.drawing.cells import Piece, fit
from explorer.tui.drawing.sheet import sheet
from explorer.views.tree.scene import DENSE, Scene

Placed = tuple[int, str, str]  # cell, text, tone


def line_pieces(scene: Scene, look: drawing.Look, y: int, left: int, right: int) -> list[Placed]:
    """The texts on a line of the whole drawing that touch [left, right), from left to right."""
    row = scene.row_at(y)
    if row is None:
        return []
    depth, line = row
    columns = scene.columns_in(left, right)
    if line >= scene.lines:
        return _gap(scene, look, depth, line - scene.lines, columns, (left, right))
    pieces: list[Placed] = []
    for number in scene.layout.between(depth, *columns):
        if scene.way == DENSE:
            pieces += _dense(scene, look, number)
        else:
            pieces += placed(scene.cell(number), _node(scene, look, number, line))
    return pieces


def placed(cell: int, pieces: list[Piece]) -> list[Placed]:
    """The pieces one after the other from a cell on."""
    found = []
    for text, tone in pieces:
        if text:
            found.append((cell, text, tone))
        cell += cell_len(text)
    return found


def _node(scene: Scene, look: drawing.Look, number: int, line: int) -> list[Piece]:
    model, zoom, width = scene.model, scene.step, scene.body
    if zoom.height > 1:
        if number not in look.made:
            look.made[number] = (
                sheet(model, number, look, (width, scene.lines), scene.stem)
                if zoom.framed
                else drawing.card(model, number, look, width)
            )
        pieces = look.made[number][line]
    elif width < 8:
        pieces = drawing.dot(model.nodes[number], look)
    else:
        pieces = drawing.chip(model.nodes[number], look, width)
    pieces = fit(pieces, width)
    if number == look.cursor and not line:
        return under_cursor(pieces, look, width if zoom.height > 1 else 0)
    return _toned(scene, number, pieces, line)


def under_cursor(pieces: list[Piece], look: drawing.Look, width: int = 0) -> list[Piece]:
    """The pieces as those of the selected node."""
    tone = "cursor" if look.focused else "resting"
    return [("".join(text for text, _ in pieces).ljust(width), tone)]


def _toned(scene: Scene, number: int, pieces: list[Piece], line: int = 0) -> list[Piece]:
    """The pieces as a filter has them: what matches stands out, the rest steps back."""
    matches = scene.model.matches
    if matches is None or (line and number in matches):
        return pieces
    tone = "match" if number in matches else "unmatched"
    return [(text, at if at in ("edge", "path") else tone) for text, at in pieces]


def _stub(scene: Scene, look: drawing.Look, number: int, side: int, width: int) -> list[Piece]:
    pieces = fit(drawing.stub(scene.model, number, look, width, side), width)
    if number != look.cursor:
        return _toned(scene, number, pieces)
    edges = [piece for piece in pieces if piece[1] == "edge" or not piece[1]]
    shown = under_cursor([piece for piece in pieces if piece not in edges], look)
    return [*edges[:-1], *shown, *edges[-1:]] if side < 0 else [*edges, *shown]


def _dense(scene: Scene, look: drawing.Look, number: int) -> list[Placed]:
    """A node with its stubs beside it, on one line."""
    parent, cell, width = scene.model.parents[number], scene.cell(number), scene.stub_left
    pieces: list[Placed] = []
    if (stub := scene.layout.stub_at(parent, -1)) is not None:
        pieces += placed(cell - width, _stub(scene, look, stub, -1, width))
    own = _node(scene, look, number, 0)
    pieces += placed(cell, own)
    if (stub := scene.layout.stub_at(parent, 1)) is not None:
        start = cell + sum(cell_len(text) for text, _ in own)
        end = cell + scene.body if width > 2 else start
        if end > start + 1:
            pieces.append((start + 1, "─" * (end - start - 1), "edge"))
        pieces += placed(end, _stub(scene, look, stub, 1, width))
    return pieces


def _gap(
    scene: Scene, look: drawing.Look, depth: int, line: int, columns: tuple[int, int],
    ends: tuple[int, int],
) -> list[Placed]:  # fmt: skip
    """A line between a generation and the next one."""
    pieces: list[Placed] = []
    is_last = line + 1 == scene.gaps[depth]
    for number in scene.layout.forks_between(depth, *columns):
        own = scene.cell(number) + scene.stem
        if number in scene.model.folded:
            if not line:
                mark = f"{drawing.FOLD}{scene.model.num_below[number]}"
                pieces += placed(own, fit([(mark, "fold")], 2 * scene.column - 1))
        elif scene.way != DENSE and number in scene.layout.stubs:
            pieces += (
                [(own, *_rail(scene, number))]
                if line
                else _rail_with_stubs(scene, look, number, own)
            )
        elif is_last:
            pieces += _connector(scene, number, own, *ends)
        else:
            pieces.append((own, *_rail(scene, number)))
    return pieces


def _rail(scene: Scene, number: int) -> Piece:
    heavy = drawing.has_heavy_line(scene.model, number)
    return ("┃", "path") if heavy else ("│", "edge")


def _rail_with_stubs(scene: Scene, look: drawing.Look, number: int, own: int) -> list[Placed]:
    """The line straight down to the kept child, and the stubs that hang on it."""
    left, right = (scene.layout.stub_at(number, side) for side in (-1, 1))
    pieces: list[Placed] = []
    if left is not None:
        width = scene.stub_left
        pieces += placed(own - width, _stub(scene, look, left, -1, width))
    arms = (2, 2, int(left is not None), int(right is not None))
    pieces.append((own, drawing.box(*arms), "path"))
    if right is not None:
        pieces += placed(own + 1, _stub(scene, look, right, 1, scene.stub_right))
    return pieces


def _connector(scene: Scene, number: int, own: int, left: int, right: int) -> list[Placed]:
    children = [
        (scene.cell(child) + scene.stem, scene.model.nodes[child].kept is True)
        for child in scene.layout.children[number]
    ]
    return drawing.connector(own, children, left, right)
