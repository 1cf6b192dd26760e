"""The Pareto plot: how much was removed against how well what is left does."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.drawing import pareto as drawing
from explorer.tui.drawing import pareto_text as words
from explorer.tui.drawing.cells import Piece
from explorer.views.pareto.axes import X_AXES, Y_AXES, Axis
from explorer.views.pareto.view import OWN, Choice, ParetoView, Point, with_published

_WITH_TABLE, _TABLE_CELLS = (100, 18), 42  # the size from which on the frontier stands beside
_LOW, _MIDDLE, _HIGH = 10, 11, 16  # lines: below the first two little is told, from the last on all

Line = Sequence[Piece]


class _Drawn(NamedTuple):
    """Everything but the cursor, for one view at one size."""

    view: ParetoView
    size: tuple[int, int]
    head: Sequence[Line]
    chart: drawing.Chart
    beside: Sequence[Line]
    chart_cells: int
    notes: Sequence[str]


class ParetoPlot(Widget, can_focus=True):
    """Shows a view, with a cursor that goes from point to point."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"pareto--{tone}" for tone in (*drawing.TONES, "heading", "key", "selected", "cursor")
    }
    DEFAULT_CSS = """
    ParetoPlot {
        .pareto--axes { color: $foreground 60%; }
        .pareto--zero { color: $foreground 30%; }
        .pareto--heading { color: $foreground; text-style: bold; }
        .pareto--key { color: $text-accent; text-style: bold; }
        .pareto--name { color: $foreground 60%; }
        .pareto--frontier { color: $text-success; }
        .pareto--rejected { color: $foreground 55%; }
        .pareto--undecided { color: $foreground; text-style: bold; }
        .pareto--kept { color: $text-success; }
        .pareto--best { color: $text-success; text-style: bold; }
        .pareto--primary { color: $foreground; }
        .pareto--rerun { color: $foreground 90%; }
        .pareto--quoted { color: $foreground 75%; }
        .pareto--selected { text-style: bold underline; }
        .pareto--cursor { text-style: bold reverse; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "walk('left')", "Left", id="plot.left", show=False),
        Binding("right,l", "walk('right')", "Right", id="plot.right", show=False),
        Binding("up,k", "walk('up')", "Up", id="plot.up", show=False),
        Binding("down,j", "walk('down')", "Down", id="plot.down", show=False),
        Binding("home", "along('first')", "First", id="plot.first", show=False),
        Binding("end", "along('last')", "Last", id="plot.last", show=False),
        Binding("full_stop", "along('next')", "Next", id="plot.next", show=False),
        Binding("comma", "along('previous')", "Previous", id="plot.previous", show=False),
        Binding("enter", "select", "Select", id="plot.select", show=False),
        Binding("Y", "axis('y')", "Y axis", id="plot.y", show=False),
        Binding("X", "axis('x')", "X axis", id="plot.x", show=False),
        Binding("r", "published", "Published", id="plot.published", show=False),
        Binding("Z", "full", "Full screen", id="plot.full", show=False),
        Binding("s", "save", "Save", id="plot.save", show=False),
    ]

    class Chosen(Message):
        """A node was asked for."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Rearranged(Message):
        """Other axes or published results were asked for."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    class Wanted(Message):
        """Something that the app does: `full` or `save`."""

        def __init__(self, what: str) -> None:
            super().__init__()
            self.what = what

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = ParetoView(Choice())
        self._selected = ""
        self._selected_number: int | None = None  # its point, where it is drawn
        self._cursor: int | None = None
        self._under_mouse: int | None = None
        self._drawn: _Drawn | None = None
        self._styles: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}  # the chart's lines, without the cursor

    # ------------------------------------------------------------ what the app calls

    def show(self, view: ParetoView, selected: str) -> None:
        """Shows a view. The cursor goes to a node that is newly selected, else it stays."""
        if view is self.view and selected == self._selected:
            return
        number = _number_of(view, selected)
        if selected != self._selected:
            self._cursor = number
        elif view is not self.view and self.point is not None:
            stays = self.point
            found = (at for at, point in enumerate(view.points) if point == stays)
            self._cursor = next(found, number)
        self.view, self._selected, self._under_mouse = view, selected, None
        self._selected_number = number
        self.refresh()

    @property
    def point(self) -> Point | None:
        """The point under the cursor."""
        if self._cursor is None or self._cursor >= len(self.view.points):
            return None
        return self.view.points[self._cursor]

    # ------------------------------------------------------------ drawing

    def render_line(self, y: int) -> Strip:
        drawn = self._build()
        row = y - len(drawn.head)
        if row < 0:
            return self._strip(self._segments(drawn.head[y]))
        if row >= len(drawn.chart.lines):
            foot, place = self._foot(), row - len(drawn.chart.lines)
            return self._strip(self._segments(foot[place]) if place < len(foot) else [])
        strip = self._strips.get(row)
        if strip is None:
            strip = self._strips[row] = self._strip(self._chart_line(drawn, row))
        marks = self._marked(drawn.chart, row)
        return Strip(_restyled(list(strip), marks), strip.cell_length) if marks else strip

    def _strip(self, line: list[Segment]) -> Strip:
        width = self.size.width
        return Strip(line).adjust_cell_length(width, self.rich_style).crop(0, width)

    def _build(self) -> _Drawn:
        size = self.size.width, self.size.height
        drawn = self._drawn
        if drawn is None or drawn.view is not self.view or drawn.size != size:
            width, height = size
            notes = self._wrapped_notes()
            rows = max(height - (2 if height >= _LOW else 1) - self._foot_lines(notes), 0)
            beside: Sequence[Line] = ()
            cells = width
            if width >= _WITH_TABLE[0] and height >= _WITH_TABLE[1]:
                beside = words.frontier_table(self.view, _TABLE_CELLS, rows)
                cells = width - _TABLE_CELLS - 2 if beside else width
            chart = drawing.draw(self.view, cells, rows)
            head = words.head(self.view, chart.num_below, width, is_low=height < _LOW)
            self._strips = {}
            drawn = self._drawn = _Drawn(self.view, size, head, chart, beside, cells, notes)
        return drawn

    def _wrapped_notes(self) -> list[str]:
        """The notes in lines, as many as there is room for."""
        width, height = self.size
        if height < _HIGH:
            return list(self.view.notes[:1])
        found = [line for note in self.view.notes for line in textwrap.wrap(note, max(width, 20))]
        return found[: max(height // 6, 1)]

    def _foot_lines(self, notes: Sequence[str]) -> int:
        """A line or two about the point under the cursor, and the notes."""
        height = self.size.height
        if height < _MIDDLE:
            return 1
        return (1 if height < _HIGH else 2) + len(notes)

    def _chart_line(self, drawn: _Drawn, row: int) -> list[Segment]:
        line = self._segments(drawn.chart.lines[row])
        if drawn.beside:
            strip = Strip(line).adjust_cell_length(drawn.chart_cells + 2, self.rich_style)
            line = [*strip, *self._segments(drawn.beside[row] if row < len(drawn.beside) else ())]
        return line

    def _marked(self, chart: drawing.Chart, row: int) -> dict[int, Style]:
        """The styles of single cells: the selected node's, and over it the cursor's, which is
        reversed while the keys are here."""
        marks: dict[int, Style] = {}
        cursor = "cursor" if self.has_focus or self._under_mouse is not None else "selected"
        for number, tone in ((self._selected_number, "selected"), (self._pointed, cursor)):
            if number is not None and number < len(chart.places):
                column, at = chart.places[number]
                if at == row:
                    marks[column] = self._style(tone)
        return marks

    @property
    def _pointed(self) -> int | None:
        """The point that the last lines are about."""
        return self._cursor if self._under_mouse is None else self._under_mouse

    def _foot(self) -> list[Line]:
        """The point under the cursor, and what has to be known of the comparison."""
        number = self._pointed
        told: list[Line] = []
        if number is not None and number < len(self.view.points):
            first, second = words.about(self.view, number)
            told = [first, second]
        elif self._selected and self.view.points:
            told = [words.not_drawn(self.view, self._selected), ()]
        drawn = self._build()
        notes: list[Line] = [[(note, "axes")] for note in drawn.notes]
        if self.size.height < _MIDDLE:
            return told[:1] or notes[:1]
        about = 1 if self.size.height < _HIGH else 2
        return [*[*told, (), ()][:about], *notes]

    def _segments(self, pieces: Line) -> list[Segment]:
        return [Segment(text, self._style(tone)) for text, tone in pieces]

    def _style(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            name = f"pareto--{tone}"
            style = self.get_component_rich_style(name) if tone else self.rich_style
            if tone in ("selected", "cursor"):
                style = self.get_component_rich_style(name, partial=True)
            self._styles[tone] = style
        return style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles, self._strips = {}, {}

    # ------------------------------------------------------------ the cursor

    def action_walk(self, direction: str) -> None:
        chart = self._build().chart
        if not chart.places:
            return
        start = self._pointed
        self._put(0 if start is None else drawing.step(chart, start, direction))

    def action_along(self, where: str) -> None:
        """Along the frontier that the point is on, else one's own; where there is none of it, that
        of the first published results."""
        frontiers = [f for f in self.view.frontiers.values() if f]
        on = [f for f in frontiers if self._cursor in f]
        own = self.view.frontiers.get(OWN)
        if not frontiers:
            return
        members = list(on[0] if on else own or frontiers[0])
        if where in ("first", "last"):
            self._put(members[0 if where == "first" else -1])
        elif self._cursor in members:
            place = members.index(self._cursor) + (1 if where == "next" else -1)
            self._put(members[min(max(place, 0), len(members) - 1)])
        else:
            self._put(members[0 if where == "next" else -1])

    def _put(self, number: int) -> None:
        before, self._cursor, self._under_mouse = self._pointed, number, None
        self._repaint(before)

    def _look_at(self, number: int | None) -> None:
        """Tells of the point under the mouse, of that under the cursor where there is none."""
        if number != self._under_mouse:
            before, self._under_mouse = self._pointed, number
            self._repaint(before)

    def _repaint(self, before: int | None) -> None:
        """Paints the lines of two points, and those about them."""
        drawn, width = self._build(), self.size.width
        top, places = len(drawn.head), drawn.chart.places
        rows = {places[n][1] for n in (before, self._pointed) if n is not None and n < len(places)}
        below = top + len(drawn.chart.lines)
        self.refresh(
            *(Region(0, top + row, width, 1) for row in rows),
            Region(0, below, width, max(self.size.height - below, 0)),
        )

    def action_select(self) -> None:
        if self._cursor is not None and self._cursor < len(self.view.points):
            node = self.view.points[self._cursor].node
            if node is not None:
                self.post_message(self.Chosen(node))
            else:
                self.app.notify("a published result is no node of this tree", markup=False)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        self._look_at(self._at(event.offset))

    def on_leave(self) -> None:
        self._look_at(None)

    def on_click(self, event: events.Click) -> None:
        found = self._at(event.offset)
        if found is None:
            return
        self._put(found)
        if self.view.points[found].node is not None:
            self.action_select()

    def _at(self, offset: Offset) -> int | None:
        drawn = self._build()
        return drawn.chart.nearest(offset.x, offset.y - len(drawn.head))

    # ------------------------------------------------------------ what is shown

    def action_axis(self, which: str) -> None:
        choice, view = self.view.choice, self.view
        if which == "x":
            chosen = Choice(_next(view.x, X_AXES).key, choice.y, choice.published)
        else:
            chosen = Choice(view.x.key, _next(view.y, Y_AXES).key, choice.published)
        self.post_message(self.Rearranged(chosen))

    def action_published(self) -> None:
        if self.view.subject is None:
            self.app.notify("nothing is published of this network on these data; `pe-explore "
                            "published add FILE` takes results of yours", markup=False)  # fmt: skip
            return
        self.post_message(self.Rearranged(with_published(self.view.choice)))

    def action_full(self) -> None:
        self.post_message(self.Wanted("full"))

    def action_save(self) -> None:
        self.post_message(self.Wanted("save"))


def _number_of(view: ParetoView, node: str) -> int | None:
    return next((at for at, point in enumerate(view.points) if point.node == node), None)


def _next(axis: Axis, axes: Sequence[Axis]) -> Axis:
    return axes[([each.key for each in axes].index(axis.key) + 1) % len(axes)]


def _restyled(line: Sequence[Segment], marks: dict[int, Style]) -> list[Segment]:
    """The line with a style of its own for single cells."""
    found, column = [], 0
    for text, style, _ in line:
        inside = [at for at in marks if column <= at < column + cell_len(text)]
        if not inside:
            found.append(Segment(text, style))
            column += cell_len(text)
            continue
        for character in text:
            own = marks.get(column)
            found.append(Segment(character, (style or Style()) + own if own else style))
            column += cell_len(character)
    return found
