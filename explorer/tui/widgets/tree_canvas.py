"""The tree as a canvas: only the lines on the screen are ever drawn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region, Size, Spacing
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.drawing import tree as drawing
from explorer.tui.drawing.cells import Piece, fit
from explorer.views.tree.layout import TreeLayout
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

_PAN_CELLS, _PAN_LINES = 8, 2


class _Anchor(NamedTuple):
    """A node and where on the screen it stood, so that it can stand there again."""

    name: str
    place: Offset


class TreeCanvas(ScrollView, can_focus=True):
    """The tree of a model: pan, zoom, fold, walk along the edges, search."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tree--{tone}" for tone in drawing.TONES}
    DEFAULT_CSS = """
    TreeCanvas {
        background: $surface;
        .tree--kept { color: $text-success; text-style: bold; }
        .tree--figures { color: $foreground; }
        .tree--rejected { color: $foreground 55%; }
        .tree--running { color: $text-warning; text-style: bold; }
        .tree--queued { color: $foreground 70%; }
        .tree--undecided { color: $text-primary; text-style: bold; }
        .tree--failed { color: $text-error; }
        .tree--tag { color: $text-warning; text-style: bold; }
        .tree--fold { color: $foreground 70%; }
        .tree--edge { color: $foreground 40%; }
        .tree--path { color: $warning; text-style: bold; }
        .tree--match { color: $text-accent; text-style: bold underline; }
        .tree--unmatched { color: $foreground 35%; }
        .tree--cursor { color: $primary; background: $foreground; text-style: bold reverse; }
        &:light .tree--cursor { background: $surface; }
        &:ansi {
            .tree--kept { color: ansi_green; }
            .tree--figures { color: ansi_default; }
            .tree--rejected { color: ansi_default; text-style: dim; }
            .tree--running { color: ansi_yellow; }
            .tree--queued { color: ansi_default; text-style: dim; }
            .tree--undecided { color: ansi_cyan; }
            .tree--failed { color: ansi_red; }
            .tree--tag { color: ansi_yellow; }
            .tree--fold { color: ansi_default; }
            .tree--edge { color: ansi_default; text-style: dim; }
            .tree--path { color: ansi_yellow; }
            .tree--match { color: ansi_cyan; }
            .tree--unmatched { color: ansi_default; text-style: dim; }
            .tree--cursor { color: ansi_default; background: ansi_default; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "walk('up')", "Parent", id="tree.parent", show=False),
        Binding("down,j", "walk('down')", "Child", id="tree.child", show=False),
        Binding("left,h", "walk('left')", "Left", id="tree.left", show=False),
        Binding("right,l", "walk('right')", "Right", id="tree.right", show=False),
        Binding("home", "walk('root')", "Root", id="tree.root", show=False),
        Binding("end", "walk('tip')", "Tip of the kept path", id="tree.tip", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom in", id="tree.zoom_in", show=False),
        Binding("minus", "zoom(-1)", "Zoom out", id="tree.zoom_out", show=False),
        Binding("z", "fold", "Fold", id="tree.fold", show=False),
        Binding("enter", "activate", "Open", id="tree.activate", show=False),
        Binding("full_stop", "match(1)", "Next match", id="tree.next_match", show=False),
        Binding("comma", "match(-1)", "Previous match", id="tree.previous_match", show=False),
        Binding("shift+left", "pan(-1, 0)", "Pan left", id="tree.pan_left", show=False),
        Binding("shift+right", "pan(1, 0)", "Pan right", id="tree.pan_right", show=False),
        Binding("shift+up", "pan(0, -1)", "Pan up", id="tree.pan_up", show=False),
        Binding("shift+down", "pan(0, 1)", "Pan down", id="tree.pan_down", show=False),
    ]

    zoom: reactive[int] = reactive(1)  # 0 dots, 1 chips, 2 cards

    class Selected(Message):
        """Another node is selected."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Activated(Message):
        """A node was asked for by enter."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(
        self, model: TreeModel | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.model = model or TreeModel()
        self._layout = TreeLayout(self.model)
        self._cursor = self._tip()
        self._drawn = drawing.ZOOMS[self.zoom]
        self._ways: dict[int, int] = {}  # by parent, the child that the person came up from
        self._styles: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}
        self._strips_of = (0, 0)  # the scroll column and width that the strips were made for

    # What the app calls

    @property
    def selected(self) -> str | None:
        return self.model.nodes[self._cursor].name if self.model.nodes else None

    @property
    def depth(self) -> int:
        """The depth of the deepest node that no fold hides."""
        return max(self._depth - 1, 0)

    def show(self, model: TreeModel) -> None:
        """Shows another tree; the selection stays on the node of its name, else goes to the tip."""
        anchor, name = self._anchor(), self.selected
        self.model, self._ways, self._layout = model, {}, TreeLayout(model)
        number = None if name is None else model.find(name)
        self._cursor = self._tip() if number is None else number
        self._arrange(anchor)
        if self.selected is not None and self.selected != name:
            self._bring_into_view()
            self.post_message(self.Selected(self.selected))

    def update_nodes(self, changed: Iterable[TreeNode]) -> None:
        """Adds or changes nodes; the selection and what is in view stay."""
        anchor, was_empty = self._anchor(), not self.model.nodes
        for node in changed:
            self.model.put(node)
        if self.model.nodes:
            self.model.reveal(self._cursor)
        self._arrange(anchor)
        if was_empty and self.selected is not None:
            self.post_message(self.Selected(self.selected))

    def select(self, name: str) -> None:
        """Selects a node, unfolding what hides it. Raises KeyError."""
        self._select(self.model.number(name))

    def set_filter(self, text: str) -> None:
        """Highlights the nodes that meet the expression. Raises ValueError."""
        self.model.set_filter(text)
        self._repaint()

    def name_at(self, place: Offset) -> str | None:
        """The node drawn at a cell of the virtual canvas."""
        depth, line = divmod(place.y, self._drawn.pitch)
        if depth >= len(self._layout.rows) or place.x < 0:
            return None
        number = self._layout.last_at(depth, place.x // self._drawn.column)
        if number is None or line >= self._drawn.height:
            return None
        inside = place.x - self._cell(number) < self._drawn.width
        return self.model.nodes[number].name if inside else None

    # Drawing

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width = self.size.width
        if self._strips_of != (left, width) or len(self._strips) > 1000:
            self._strips, self._strips_of = {}, (left, width)
        strip = self._strips.get(top + y)
        if strip is None:
            strip = self._strips[top + y] = self.strip_at(top + y, left, width)
        return strip

    def strip_at(self, y: int, left: int, width: int) -> Strip:
        """A line of the virtual canvas, `width` cells from `left` on."""
        style = self._style
        segments: list[Segment] = []
        start = cell = left
        for at, text, tone in self._pieces(y, left, left + width):
            if not segments:
                start = cell = min(at, left)
            if at > cell:
                segments.append(Segment(" " * (at - cell), style("")))
            segments.append(Segment(text, style(tone)))
            cell = max(at, cell) + cell_len(text)
        strip = Strip(segments, cell - start).crop(left - start, left - start + width)
        return strip.adjust_cell_length(width, style(""))

    def _pieces(self, y: int, left: int, right: int) -> list[tuple[int, str, str]]:
        """The texts on a line that touch [left, right), each with its cell and tone."""
        zoom, layout = self._drawn, self._layout
        depth, line = divmod(y, zoom.pitch)
        if depth >= len(layout.rows):
            return []
        first, last = left // zoom.column - 1, right // zoom.column + 1
        pieces: list[tuple[int, str, str]] = []
        if line == zoom.height:
            for number in layout.forks_between(depth, first, last):
                pieces += self._below(number, left, right)
            return pieces
        for number in layout.between(depth, first, last):
            cell = self._cell(number)
            for text, tone in fit(self._node_pieces(number, line), zoom.width):
                pieces.append((cell, text, tone))
                cell += cell_len(text)
        return pieces

    def _node_pieces(self, number: int, line: int) -> list[Piece]:
        node, zoom = self.model.nodes[number], self._drawn
        if zoom.height > 1:
            pieces = drawing.card(self.model, number, zoom.width)[line]
        else:
            pieces = drawing.dot(node) if zoom.width < 8 else drawing.chip(node)
        if number == self._cursor and not line:
            shown = "".join(text for text, _ in pieces)
            return [(shown.ljust(zoom.width) if zoom.height > 1 else shown, "cursor")]
        matches = self.model.matches
        if matches is None or (line and number in matches):
            return pieces
        tone = "match" if number in matches else "unmatched"
        return [(text, at if at in ("edge", "path") else tone) for text, at in pieces]

    def _below(self, number: int, left: int, right: int) -> list[tuple[int, str, str]]:
        """The connector to the children, or how many a fold hides."""
        model, cell = self.model, self._cell(number)
        if number in model.folded:
            mark = f"{drawing.FOLD}{model.num_below[number]}"
            return [(cell, text, tone) for text, tone in fit([(mark, "fold")], 3)]
        children = [(self._cell(c), model.nodes[c].kept is True) for c in model.children[number]]
        return drawing.connector(cell, children, left, right)

    def _cell(self, number: int) -> int:
        return self._layout.columns[number] * self._drawn.column

    def _style(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self.get_component_rich_style(f"tree--{tone}") if tone else self.rich_style
            self._styles[tone] = style
        return style

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles, self._strips = {}, {}

    def _repaint(self) -> None:
        self._strips = {}
        self.refresh()

    # Keeping the view

    def _region(self, number: int) -> Region:
        """Where a node is drawn on the virtual canvas."""
        zoom = self._drawn
        line = self._layout.depths[number] * zoom.pitch
        return Region(self._cell(number), line, zoom.width, zoom.height)

    def _anchor(self) -> _Anchor | None:
        """The selected node where it is in view, else the first node in view."""
        view = Region(*self.scroll_offset, *self.size)
        if not self.model.nodes or not view.area:
            return None
        number: int | None = self._cursor
        if not view.overlaps(self._region(self._cursor)):
            zoom = self._drawn
            rows = range(view.y // zoom.pitch, min(view.bottom // zoom.pitch, self._depth))
            columns = view.x // zoom.column, view.right // zoom.column
            number = next((i for row in rows for i in self._layout.between(row, *columns)), None)
        if number is None:
            return None
        return _Anchor(
            self.model.nodes[number].name, self._region(number).offset - self.scroll_offset
        )

    @property
    def _depth(self) -> int:
        return len(self._layout.rows)

    def _arrange(self, anchor: _Anchor | None) -> None:
        """Lays out anew where the tree's shape or the zoom changed, and puts the anchor back."""
        if self._layout.shape != self.model.shape:
            self._layout = TreeLayout(self.model)
        self._drawn = zoom = drawing.ZOOMS[self.zoom]
        self.virtual_size = Size(
            max(self._layout.num_columns - 1, 0) * zoom.column + zoom.width,
            self._depth * zoom.pitch,
        )
        number = None if anchor is None else self.model.find(anchor.name)
        if anchor is not None and number is not None and self._layout.depths[number] >= 0:
            place = self._region(number).offset - anchor.place
            self.scroll_to(*place, animate=False, force=True, immediate=True)
        self._repaint()

    def _bring_into_view(self) -> None:
        """Scrolls as little as shows the selected node, with its parent and children if it can."""
        if not self.model.nodes:
            return
        zoom, region = self._drawn, self._region(self._cursor)
        around = region.grow(Spacing(zoom.pitch, zoom.column, zoom.pitch, zoom.column))
        fits = around.width <= self.size.width and around.height <= self.size.height
        self.scroll_to_region(around if fits else region, animate=False, force=True, immediate=True)

    def _tip(self) -> int:
        return next(reversed(self.model.kept_path()), 0)

    def watch_zoom(self) -> None:
        if self.is_mounted:
            self._arrange(self._anchor())
            self._bring_into_view()

    def validate_zoom(self, zoom: int) -> int:
        return min(max(zoom, 0), len(drawing.ZOOMS) - 1)

    def on_mount(self) -> None:
        self.show(self.model)

    def on_resize(self, event: events.Resize) -> None:
        self._bring_into_view()

    # Moving

    def _select(self, number: int) -> None:
        if not self._layout.depths[number] >= 0:
            anchor = self._anchor()
            self.model.reveal(number)
            self._arrange(anchor)
        if number != self._cursor:
            before, self._cursor = self._cursor, number
            for touched in (before, number):
                if self._layout.depths[touched] >= 0:
                    region = self._region(touched)
                    for y in range(region.y, region.bottom):
                        self._strips.pop(y, None)
                    self.refresh_lines(region.y, region.height)
            self.post_message(self.Selected(self.model.nodes[number].name))
        self._bring_into_view()

    def action_walk(self, way: str) -> None:
        """Moves the selection: up, down, left, right along the edges, to the root or the tip."""
        model, here = self.model, self._cursor
        if not model.nodes:
            return
        to: int | None
        if way == "up":
            to = model.parent(here)
            if to is not None:
                self._ways[to] = here
        elif way == "down":
            to = self._ways.get(here, model.kept_child(here))
            below = model.visible_children(here)
            to = to if to in below else model.first_child(here)
        elif way in ("left", "right"):
            to = self._layout.neighbour(here, -1 if way == "left" else 1)
        else:
            to = 0 if way == "root" else self._tip()
        if to is not None:
            self._select(to)

    def action_match(self, step: int) -> None:
        number = self.model.next_match(self._cursor, step)
        if number is not None:
            self._select(number)

    def action_zoom(self, step: int) -> None:
        self.zoom += step

    def action_fold(self) -> None:
        if self.model.nodes:
            anchor = self._anchor()
            self.model.toggle_fold(self._cursor)
            self._arrange(anchor)

    def action_activate(self) -> None:
        if self.selected is not None:
            self.post_message(self.Activated(self.selected))

    def action_pan(self, across: int, down: int) -> None:
        self.scroll_relative(across * _PAN_CELLS, down * _PAN_LINES, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        name = None if place is None else self.name_at(place + self.scroll_offset)
        if name is not None:
            self.select(name)
            if event.chain == 2:
                self.action_fold()
