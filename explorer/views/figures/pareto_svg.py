"""The Pareto plot as a figure for a paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi, sin
from xml.sax.saxutils import escape

from explorer.views.figures.svg import document, element, line, polyline, text
from explorer.views.pareto.axes import Axis, axis_text
from explorer.views.pareto.frontier import steps
from explorer.views.pareto.view import OWN, ParetoView, Point
from explorer.views.published.result import KINDS
from explorer.views.run_names import fitted_name
from explorer.views.safe_text import safe
from explorer.views.ticks import nice_ticks, number_text, widened

WIDTH, HEIGHT = 720.0, 480.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 16.0, 34.0, 46.0
_LINE = 13.0  # from one line of a text to the next
_MARK = 4.0  # half of a mark's width
_CHARACTER = 5.2  # how wide one of a name is, about
_MOST_NAMES = 120
_GREEN, _PUBLISHED, _GREY = "#1a7f37", "#3d3d3d", "#8a8a8a"
# By kind: colour, whether it is filled, and what the legend calls it.
_LOOKS: Mapping[str, tuple[str, bool, str]] = {
    "best": (_GREEN, True, "best"),
    "kept": (_GREEN, True, "kept"),
    "undecided": ("#222222", False, "undecided"),
    "rejected": (_GREY, False, "rejected"),
    "primary": (_PUBLISHED, True, "published, primary"),
    "rerun": (_PUBLISHED, False, "published, rerun by others"),
    "quoted": (_PUBLISHED, False, "published, quoted"),
}


Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class _Frame:
    """The ranges, and where they lie on the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies, or the place at the edge that is nearest to it."""
        x = min(max(x, self.x_low), self.x_high)
        y = min(max(y, self.y_low), self.y_high)
        across = (x - self.x_low) / (self.x_high - self.x_low)
        up = (y - self.y_low) / (self.y_high - self.y_low)
        return (
            _LEFT + across * (WIDTH - _LEFT - _RIGHT),
            HEIGHT - _BOTTOM - up * (HEIGHT - _TOP - _BOTTOM),
        )


def pareto_svg(view: ParetoView, title: str = "") -> str:
    """The plot, its legend and what has to be known of the comparison, as an SVG document."""
    notes = [part for note in view.notes for part in textwrap.wrap(note, 118)]
    frame = _frame(view)
    places = [frame.at(point.x, point.y) for point in view.points]
    inside = [*_axes(view, frame), *_zero(view, frame)]
    inside += [each for kind in (*KINDS, OWN) for each in _frontier(view, frame, kind)]
    inside += [each for point in view.points for each in _interval(point, frame)]
    for point, place in zip(view.points, places, strict=True):
        told = element("title", _about(view, point))
        inside.append(element("g", _mark(point.kind, *place) + told))
    inside += _names(view, frame, places)
    inside += _legend(view)
    for number, note in enumerate(notes):
        inside.append(text(_LEFT, HEIGHT + 8 + number * _LINE, note, font_size=10, fill="#555"))
    height = HEIGHT + (len(notes) * _LINE + 8 if notes else 0)
    return document(WIDTH, height, title or f"{view.y.words} against {view.x.words}", inside)


def _about(view: ParetoView, point: Point) -> str:
    source = f" ({point.result.source})" if point.result else ""
    figures = f"{axis_text(view.x, point.x)}, {axis_text(view.y, point.y)}"
    return escape(f"{safe(point.name, 200)}: {figures}{safe(source, 300)}")


def _frame(view: ParetoView) -> _Frame:
    xs, ys = [p.x for p in view.points] or [0.0], [p.y for p in view.points] or [0.0]
    for ratio in (p.latency for p in view.points if p.latency):
        xs += [end for end in (ratio.low, ratio.high) if end is not None]
    if view.x.key != "latency":
        xs.append(0.0)
    x_low, x_high = widened(min(xs), max(xs))
    y_low, y_high = widened(min(ys), max(ys))
    across, up = (x_high - x_low) * 0.04, (y_high - y_low) * 0.06
    return _Frame(x_low - across / 2, x_high + across, y_low - up, y_high + up)


# ------------------------------------------------------------ the axes


def _axes(view: ParetoView, frame: _Frame) -> list[str]:
    left, bottom = _LEFT, HEIGHT - _BOTTOM
    found = [polyline([(left, _TOP), (left, bottom), (WIDTH - _RIGHT, bottom)], stroke="#222")]
    for value in nice_ticks(frame.x_low, frame.x_high, 8):
        x, _ = frame.at(value, frame.y_low)
        found.append(line(x, bottom, x, bottom + 4, stroke="#222"))
        found.append(text(x, bottom + 16, _tick(value), text_anchor="middle"))
    for value in nice_ticks(frame.y_low, frame.y_high, 7):
        _, y = frame.at(frame.x_low, value)
        found.append(line(left - 4, y, left, y, stroke="#222"))
        found.append(text(left - 7, y + 4, _tick(value), text_anchor="end"))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    found.append(text(middle, bottom + 36, _heading(view.x), text_anchor="middle", font_size=12))
    up = (_TOP + bottom) / 2
    turned = f"rotate(-90 16 {up:.2f})"
    found.append(
        text(16, up, _heading(view.y), text_anchor="middle", font_size=12, transform=turned)
    )
    return found


def _heading(axis: Axis) -> str:
    return axis.words[:1].upper() + axis.words[1:]


def _tick(value: float) -> str:
    return number_text(value).replace("-", "−")


def _zero(view: ParetoView, frame: _Frame) -> list[str]:
    """The root's height, where heights are changes."""
    if not view.y.key.endswith("change") or not frame.y_low < 0 < frame.y_high:
        return []
    left, right = frame.at(frame.x_low, 0.0), frame.at(frame.x_high, 0.0)
    return [line(*left, *right, stroke="#bbb", stroke_width=0.7)]


def _frontier(view: ParetoView, frame: _Frame, kind: str) -> list[str]:
    corners = _corners(view, frame, kind)
    if len(corners) < 2:
        return []
    colour = _GREEN if kind == OWN else _PUBLISHED
    dashes = {OWN: None, "primary": "5 3", "rerun": "2 3", "quoted": "1 4"}[kind]
    width = 1.6 if kind == OWN else 1.0
    return [polyline(corners, stroke=colour, stroke_width=width, stroke_dasharray=dashes)]


def _corners(view: ParetoView, frame: _Frame, kind: str) -> list[tuple[float, float]]:
    places = [(view.points[i].x, view.points[i].y) for i in view.frontiers.get(kind, ())]
    return [frame.at(*place) for place in steps(places, view.x.better)]


def _segments(
    view: ParetoView, frame: _Frame, kind: str
) -> Iterable[tuple[tuple[float, float], tuple[float, float]]]:
    return pairwise(_corners(view, frame, kind))


def _box(one: tuple[float, float], other: tuple[float, float]) -> Box:
    """What a segment of a frontier takes; names stay off it."""
    xs, ys = sorted((one[0], other[0])), sorted((one[1], other[1]))
    return xs[0] - 1, ys[0] - 1, xs[1] + 1, ys[1] + 1


def _reach(point: Point, frame: _Frame) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The ends of a latency's 95 % interval; nothing for points without one."""
    ratio = point.latency
    if ratio is None or ratio.low is None or ratio.high is None or not ratio.steps:
        return []
    return [(frame.at(ratio.low, point.y), frame.at(ratio.high, point.y))]


def _interval(point: Point, frame: _Frame) -> list[str]:
    found = []
    for left, right in _reach(point, frame):
        found.append(line(*left, *right, stroke=_GREY))
        found += [line(x, y - 2, x, y + 2, stroke=_GREY) for x, y in (left, right)]
    return found


# ------------------------------------------------------------ marks and names


def _mark(kind: str, x: float, y: float) -> str:
    colour, is_filled, _ = _LOOKS[kind]
    look: dict[str, object] = {
        "fill": colour if is_filled else "#fff", "stroke": colour, "stroke_width": 1.2,
    }  # fmt: skip
    size = 3.0 if kind == "quoted" else _MARK
    if kind in KINDS:
        corners = [(x, y - size), (x + size, y + size * 0.75), (x - size, y + size * 0.75)]
    elif kind == "undecided":
        corners = [(x, y - size), (x + size, y), (x, y + size), (x - size, y)]
    elif kind == "best":
        corners = _star(x, y)
    else:
        return element("circle", cx=float(x), cy=float(y), r=3.4 if is_filled else 2.8, **look)
    points = " ".join(f"{a:.2f},{b:.2f}" for a, b in corners)
    return element("polygon", points=points, **look)


def _star(x: float, y: float) -> list[tuple[float, float]]:
    reach = [6.5, 2.7] * 5
    return [
        (x + r * sin(i * pi / 5), y - r * cos(i * pi / 5)) for i, r in enumerate(reach)
    ]  # fmt: skip


def _names(view: ParetoView, frame: _Frame, places: Sequence[tuple[float, float]]) -> list[str]:
    """Names beside points where nothing is in their way: frontiers first."""
    taken = [(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in places]
    taken += [_box(*ends) for point in view.points for ends in _reach(point, frame)]
    taken += [_box(*ends) for kind in (OWN, *KINDS) for ends in _segments(view, frame, kind)]
    first = [n for kind in (OWN, *KINDS) for n in view.frontiers.get(kind, ())]
    best = [n for n, point in enumerate(view.points) if point.kind == "best"]
    rest = [n for n, p in enumerate(view.points) if p.result is None][::-1]
    found, named = [], set()
    order = dict.fromkeys([*best, *first, *rest, *range(len(view.points))])
    for number in list(order)[:_MOST_NAMES]:
        point, (x, y) = view.points[number], places[number]
        words = _short(point)
        if point.result is not None and number not in first and words in named:
            continue
        box = _free_place(words, x, y, taken)
        if box is None:
            continue
        taken.append(box)
        named.add(words)
        look = _LOOKS[point.kind][0]
        found.append(text(box[0], box[3] - 2, words, font_size=9, fill=look))
    return found


def _short(point: Point) -> str:
    label = point.label
    if point.node is not None:
        return fitted_name(label, 24)
    return label if len(label) <= 28 else f"{label[:27].rstrip(' ,')}…"


def _free_place(words: str, x: float, y: float, taken: Sequence[Box]) -> Box | None:
    wide, high = len(words) * _CHARACTER, 10.0
    for left, top in (
        (x + 6, y - 5), (x - 6 - wide, y - 5), (x - wide / 2, y - 16), (x - wide / 2, y + 6),
        (x + 4, y - 14), (x - 4 - wide, y - 14), (x + 4, y + 4), (x - 4 - wide, y + 4),
    ):  # fmt: skip
        box = (left, top, left + wide, top + high)
        inside = left > _LEFT + 2 and box[2] < WIDTH and top > _TOP - 8
        if inside and box[3] < HEIGHT - _BOTTOM and not any(_meet(box, other) for other in taken):
            return box
    return None


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend(view: ParetoView) -> list[str]:
    """The kinds that are there with how many there are, in a line above the plot."""
    found, x = [], _LEFT + 4
    for kind, (_, _, words) in _LOOKS.items():
        count = view.counts.get(kind, 0)
        if count:
            told = words if kind == "best" else f"{words} ({count:,})"
            beside = 11 if kind == "best" else 9
            found += [_mark(kind, x, 16), text(x + beside, 20, told)]
            x += beside + len(told) * 6.0 + 16
    return found
