"""What stands around the Pareto plot: its heading, its legend, the point under the cursor, and the
frontier as a table."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from explorer.tui.drawing.cells import Piece
from explorer.tui.drawing.pareto import point_name
from explorer.views.pareto.axes import Axis, axis_text
from explorer.views.pareto.view import MARKS, OWN, ParetoView, Point
from explorer.views.published.result import KIND_WORDS
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe

_LEGEND = ("best", "kept", "undecided", "rejected", "primary", "rerun", "quoted")
_WORDS = {"undecided": "awaits you"}
_LONGEST = 200
_ARROWS = {"higher": (" ↑", " →"), "lower": (" ↓", " ←"), "neither": ("", "")}
_FRONTIERS = (
    (OWN, "Frontier: yours"),
    *((kind, f"Frontier: {MARKS[kind]} {kind}") for kind in ("primary", "rerun", "quoted")),
)


def head(view: ParetoView, num_below: int, width: int, *, is_low: bool) -> list[list[Piece]]:
    """Heading and legend: in one line where lines are few and it is wide enough."""
    if not is_low:
        return [heading(view, width), legend(view, num_below, width)]
    brief, marks = heading(view, 0), legend(view, 0, 0)
    if sum(cell_len(text) for text, _ in (*brief, *marks)) + 3 <= width:
        return [[*brief, ("   ", ""), *marks]]
    return [heading(view, width)]


def heading(view: ParetoView, width: int) -> list[Piece]:
    """Which question the plot answers; the letters are the keys that change it, the arrows point to
    the better side."""
    up, across = (f"{axis.words}{_ARROWS[axis.better][i]}" for i, axis in enumerate(_axes(view)))
    between = "  against  "
    if len(up) + len(between) + len(across) + 4 > width:
        between = "  "
        up, across = (
            f"{axis.brief}{_ARROWS[axis.better][i]}" for i, axis in enumerate(_axes(view))
        )
    return [("Y ", "key"), (up, "heading"), (between, "axes"), ("X ", "key"), (across, "heading")]


def _axes(view: ParetoView) -> tuple[Axis, Axis]:
    return view.y, view.x


def legend(view: ParetoView, num_below: int, width: int) -> list[Piece]:
    """The kinds of points that are there, with how many there are; marks and numbers where there
    is no room for the words."""
    for is_brief in (False, True):
        pieces: list[Piece] = []
        for kind in _LEGEND:
            if count := view.counts.get(kind, 0):
                words = [] if is_brief and kind != "best" else [_WORDS.get(kind, kind)]
                told = " ".join([*words, *([] if kind == "best" else [f"{count:,}"])])
                pieces += [(f"{MARKS[kind]} ", kind), (f"{told}  ", "axes")]
        if view.subject is not None:
            told = view.choice.published if is_brief else f"published: {view.choice.published}"
            pieces += [("r ", "key"), (told, "axes")]
        if num_below:
            told = (
                f"  {num_below} lower" if is_brief else f"  {num_below} further down, drawn lowest"
            )
            pieces.append((told, "axes"))
        if sum(cell_len(text) for text, _ in pieces) <= width:
            break
    return pieces


def about(view: ParetoView, number: int) -> tuple[list[Piece], list[Piece]]:
    """A point in two lines: what it is with its figures, and where they come from."""
    point = view.points[number]
    figures = [axis_text(view.x, point.x), _height(view, point)]
    what = _WORDS.get(point.kind, point.kind)
    if point.result is not None:
        what = f"{point.result.year} · {safe(point.result.structures, 30)}"
    on = _frontiers_of(view, number)
    name = safe(point.name, 60) if point.result else fitted_name(point.name, 40)
    first: list[Piece] = [
        (f"{MARKS[point.kind]} ", point.kind), (name, "heading"),
        (" · ".join(["", what, *figures, *on]), ""),
    ]  # fmt: skip
    return first, [(_source(point), "axes")]


def _height(view: ParetoView, point: Point) -> str:
    text = axis_text(view.y, point.y)
    if point.result is not None and point.result.spread is not None:
        text += f" ± {point.result.spread:.2f}"
    return text


def _frontiers_of(view: ParetoView, number: int) -> list[str]:
    return [
        "frontier" if kind == OWN else f"{kind} frontier"
        for kind, members in view.frontiers.items() if number in members
    ]  # fmt: skip


def _source(point: Point) -> str:
    if point.result is not None:
        row = point.result
        root = "" if row.baseline_accuracy is None else f", root {row.baseline_accuracy:.2f}%"
        note = f" ({safe(row.note, _LONGEST)})" if row.note else ""
        source = safe(row.source, _LONGEST)
        return f"{row.kind}: {KIND_WORDS[row.kind]}{root}; {source}{note}"
    if point.latency is not None and point.latency.steps:
        ratio = point.latency
        interval = "" if ratio.low is None else f" [{ratio.low:.2f}, {ratio.high:.2f}]"
        how = (
            "measured in turns with its parent, the root" if ratio.steps == 1
            else f"the product of {ratio.steps} steps, each measured in turns with its parent"
        )  # fmt: skip
        busy = "; the machine was busy" if ratio.is_uncertain else ""
        return f"latency {ratio.value:.2f}×{interval} of the root's: {how}{busy}"
    return ""


def not_drawn(view: ParetoView, name: str) -> list[Piece]:
    """Why the selected node is nowhere on the plot."""
    axis = view.y if view.y.missing else view.x
    why = f"no {axis.words.partition(' (')[0]}"
    return [(f"{fitted_name(name, 30)} is not drawn: {why}, or older than the newest", "axes")]


def frontier_table(view: ParetoView, width: int, height: int) -> list[list[Piece]]:
    """The frontier of one's own nodes, and that of the first kind of published results, as lines
    of a table."""
    lines: list[list[Piece]] = []
    for kind, title in _FRONTIERS:
        members = view.frontiers.get(kind, ())
        if members and len(lines) + 3 <= height:
            lines += [[("", "")]] if lines else []
            lines += [_head(view, title, width)]
            lines += [_row(view, number, width) for number in members[: height - len(lines)]]
    return lines[:height]


def _head(view: ParetoView, title: str, width: int) -> list[Piece]:
    return [(f"{title:<{width - 18}.{width - 18}}", "heading"),
            (f"{view.x.short:>9.9}{view.y.short:>9.9}", "axes")]  # fmt: skip


def _row(view: ParetoView, number: int, width: int) -> list[Piece]:
    point = view.points[number]
    name = point_name(point, width - 21)
    x = axis_text(view.x, point.x).removeprefix(view.x.short).strip().removesuffix(" epochs")
    y = view.y.text(point.y)
    return [(f"{MARKS[point.kind]} ", point.kind), (set_cell_size(name, width - 20), ""),
            (f"{x:>9.9}{y:>9.9}", "")]  # fmt: skip
