"""The drawn tree as a scrolled view: only the lines on the screen are ever drawn.

It fits the tree into the space there is until a person zooms, keeps what is looked at where it is,
and lays over it what says where one is: the way from the root, and the whole tree in little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region, Size, Spacing
from textual.scroll_view import ScrollView
from textual.strip import Strip

from explorer.tui.drawing import tree as drawing
from explorer.tui.drawing.breadcrumb import Crumb, crumbs
from explorer.tui.drawing.cells import Piece
from explorer.tui.drawing.overview import COLUMN, CORNER, map_line, place_of_map
from explorer.tui.drawing.tree_lines import line_pieces, placed
from explorer.tui.widgets.tree_style import TREE_CSS
from explorer.views.node_view import NodeView
from explorer.views.tree.model import TreeModel
from explorer.views.tree.overview import Cell, Overview
from explorer.views.tree.scene import STEPS, Box, Fitting, Scene


class _Anchor(NamedTuple):
    """A node and where on the screen it stood, so that it can stand there again."""

    name: str
    place: Offset


class _Map(NamedTuple):
    """The minimap as it was made, and where it stands in the view."""

    overview: Overview
    kind: str
    box: Box


def _region(box: Box) -> Region:
    return Region(*box)


class TreeView(ScrollView):
    """A tree, a selected node in it, and the part of both that is seen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tree--{tone}" for tone in drawing.TONES}
    DEFAULT_CSS = TREE_CSS

    def __init__(
        self, model: TreeModel | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.model = model or TreeModel()
        self.at_length: Callable[[str], NodeView | None] = lambda name: None
        self._best: str | None = None
        self._marked: frozenset[str] = frozenset()
        self._step: int | None = None  # the zoom that a person chose, None to fit
        self._with_map = True
        self._fitting = Fitting(self.model)
        self._scene: Scene = self._fitting.scene((80, 24))
        self._scene_of: tuple[object, ...] = ()
        self._map: _Map | None = None
        self._map_strips: dict[int, Strip] = {}
        self._map_strips_of: tuple[object, ...] = ()  # the overview and the marks on it
        self._cursor = self._tip()
        self._crumbs_of: tuple[object, ...] = ()
        self._crumbs: list[Crumb] = []
        self._looked = drawing.Look()
        self._look_of: tuple[object, ...] = ()
        self._styles: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}
        self._strips_of = (0, 0)  # the scroll column and width that the strips were made for

    @property
    def selected(self) -> str | None:
        return self.model.nodes[self._cursor].name if self.model.nodes else None

    @property
    def zoom(self) -> int | None:
        """The step of zoom that the tree is drawn at. Set to None it is chosen by the space."""
        return self._scene.number

    @zoom.setter
    def zoom(self, step: int | None) -> None:
        self._step = None if step is None else min(max(step, 0), len(STEPS) - 1)
        if self.is_mounted:
            self._arrange(self._anchor())
            self._bring_into_view()

    @property
    def fits_itself(self) -> bool:
        """Whether the zoom is chosen by the space there is."""
        return self._step is None

    def set_signs(self, best: str | None, marked: Iterable[str]) -> None:
        """Says which node is the best one, and which are marked."""
        if (best, frozenset(marked)) != (self._best, self._marked):
            self._best, self._marked = best, frozenset(marked)
            self._repaint()

    # Drawing

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        width = self.size.width
        if self._strips_of != (left, width) or len(self._strips) > 1000:
            self._strips, self._strips_of = {}, (left, width)
        strip = self._strips.get(top + y)
        if strip is None:
            strip = self._strips[top + y] = self.strip_at(top + y, left, width)
        if y == 0 and (way := self.crumbs()):
            strip = self._strip(self._crumb_pieces(way, width), 0, width)
        return self._with_minimap(strip, y, width)

    def strip_at(self, y: int, left: int, width: int) -> Strip:
        """A line of the virtual canvas, `width` cells from `left` on."""
        pieces = line_pieces(self._scene, self._look(), y, left, left + width)
        return self._strip(pieces, left, width)

    def _look(self) -> drawing.Look:
        """What is beside the nodes, with the nodes drawn since the last change."""
        seen = (self._cursor, self.has_focus, self._best, self._marked, self.at_length)
        if self._look_of != seen:
            self._look_of, self._looked = seen, drawing.Look(*seen)
        return self._looked

    def _strip(self, pieces: list[tuple[int, str, str]], left: int, width: int) -> Strip:
        style = self._style
        segments: list[Segment] = []
        start = cell = left
        for at, text, tone in pieces:
            if not segments:
                start = cell = min(at, left)
            if at > cell:
                segments.append(Segment(" " * (at - cell), style("")))
            segments.append(Segment(text, style(tone)))
            cell = max(at, cell) + cell_len(text)
        strip = Strip(segments, cell - start).crop(left - start, left - start + width)
        return strip.adjust_cell_length(width, style(""))

    def _style(self, tone: str) -> Style:
        style = self._styles.get(tone)
        if style is None:
            style = self.get_component_rich_style(f"tree--{tone}") if tone else self.rich_style
            self._styles[tone] = style
        return style

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self._repaint()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles, self._strips, self._map_strips = {}, {}, {}

    def _repaint(self) -> None:
        self._strips, self._look_of = {}, ()
        self.refresh()

    # The way from the root, while it is out of view

    def crumbs(self) -> list[Crumb]:
        """The runs of the way to the selected node, where its root is not in view."""
        if not self.model.nodes or not self._cursor or self.size.height < 4:
            return []
        root = _region(self._scene.box(0)).translate(-self.scroll_offset)
        if self.size.region.overlaps(root):
            return []
        key = (self.model.shape, self._cursor, self.size.width)
        if self._crumbs_of != key:
            self._crumbs_of = key
            self._crumbs = crumbs(self.model, self._cursor, self.size.width - 6)
        return self._crumbs

    def _crumb_pieces(self, way: list[Crumb], width: int) -> list[tuple[int, str, str]]:
        pieces: list[Piece] = [("─ ", "edge")]
        for place, crumb in enumerate(way):
            pieces += [(".", "figures")] if place else []
            is_last = place + 1 == len(way)
            pieces.append((crumb.text, "crumb" if is_last else "figures"))
        cells = sum(cell_len(text) for text, _ in pieces)
        return placed(0, [*pieces, (" ", ""), ("─" * max(width - cells - 1, 0), "edge")])

    def crumb_at(self, x: int) -> int | None:
        """The node that a cell of the way from the root leads to."""
        end = 2
        for crumb in self.crumbs():
            end += cell_len(crumb.text) + 1
            if x < end:
                return crumb.number if x >= 2 else None
        return None

    # The minimap

    def _with_minimap(self, strip: Strip, y: int, width: int) -> Strip:
        shown, box = self._map, self.map_box()
        if shown is None or box is None or not box.y <= y < box.bottom:
            return strip
        overview, kind = shown.overview, shown.kind
        best = None if self._best is None else self.model.find(self._best)
        marks = (
            overview.box_of(Box(*self.scroll_offset, *self.size)),
            overview.cell_of(self._cursor),
            None if best is None else overview.cell_of(best),
        )
        if self._map_strips_of != (overview, marks):
            self._map_strips, self._map_strips_of = {}, (overview, marks)
        line = y - box.y
        over = self._map_strips.get(line)
        if over is None:
            pieces = map_line(overview, kind, line, *marks)
            over = self._map_strips[line] = self._strip(placed(0, pieces), 0, box.width)
        return Strip.join([strip.crop(0, box.x), over, strip.crop(box.right, width)])

    def _make_map(self) -> None:
        scene, space = self._scene, (self.size.width, self.size.height)
        stands = None if scene.fits or not self._with_map else place_of_map(scene, space)
        if stands is None:
            self._map = None
            return
        kind, box = stands
        frame = 0 if kind == COLUMN else 2
        wanted = (box.width - (frame or 1), box.height - frame)
        old = self._map
        if old is not None and old.overview.scene is scene and old.box == box:
            return
        self._map = _Map(Overview(scene, *wanted), kind, box)

    def map_box(self) -> Box | None:
        """Where the minimap is in the view: out of the selected node's way."""
        shown = self._map
        if shown is None or shown.kind != CORNER or not self.model.nodes:
            return None if shown is None else shown.box
        x, y = self.scroll_offset
        node = self._scene.box(self._cursor)
        covers = shown.box.meets(node._replace(x=node.x - x, y=node.y - y))
        return shown.box._replace(y=1) if covers else shown.box

    def map_place(self, x: int, y: int) -> Offset | None:
        """The place of the tree that a cell of the minimap stands for; None beside it."""
        shown, box = self._map, self.map_box()
        if shown is None or box is None or not box.meets(Box(x, y, 1, 1)):
            return None
        corner = shown.kind == CORNER
        inside = Cell(
            min(max(x - box.x - 1, 0), shown.overview.width - 1),
            min(max(y - box.y - corner, 0), shown.overview.height - 1),
        )
        return Offset(*shown.overview.place_of(inside))

    # Keeping the view

    def _anchor(self) -> _Anchor | None:
        """The selected node where it is in view, else the first node in view."""
        view = Box(*self.scroll_offset, *self.size)
        if not self.model.nodes or not view.width * view.height:
            return None
        number: int | None = self._cursor
        if not self._scene.box(self._cursor).meets(view):
            number = next(self._scene.in_box(view), None)
        if number is None:
            return None
        place = _region(self._scene.box(number)).offset - self.scroll_offset
        return _Anchor(self.model.nodes[number].name, place)

    def _arrange(self, anchor: _Anchor | None) -> None:
        """Sets out anew where the tree's shape, the zoom or the space has changed, and puts the
        anchor back."""
        key = (self.model, self.model.shape, self._step, self.size, self._with_map)
        if key != self._scene_of:
            self._scene_of = key
            self._scene = self._set_out()
            self._make_map()
            scene = self._scene
            self.virtual_size = Size(
                max(scene.left + scene.width, self.size.width),
                max(scene.top + scene.height, self.size.height),
            )
        number = None if anchor is None else self.model.find(anchor.name)
        if anchor is not None and number is not None and self._scene.layout.depths[number] >= 0:
            place = _region(self._scene.box(number)).offset - anchor.place
            self.scroll_to(*place, animate=False, force=True, immediate=True)
        self._repaint()

    def _set_out(self) -> Scene:
        space = (self.size.width, self.size.height)
        scene = self._fitting.scene(space, self._step)
        stands = place_of_map(scene, space) if self._with_map and not scene.fits else None
        if stands is not None and stands[0] == COLUMN:  # the tree stands beside it
            space = (space[0] - stands[1].width - 1, space[1])
            scene = self._fitting.scene(space, self._step)
        return scene

    def _bring_into_view(self) -> None:
        """Scrolls as little as shows the selected node, with its parent and children if it can."""
        if not self.model.nodes:
            return
        scene, region = self._scene, _region(self._scene.box(self._cursor))
        pitch = scene.lines + 1
        around = region.grow(Spacing(pitch, scene.column, pitch, scene.column))
        fits = around.width <= self.size.width and around.height <= self.size.height
        if not fits and self._cursor and region.height < self.size.height:
            around, fits = region.grow(Spacing(1, 0, 0, 0)), True  # below the way from the root
        self.scroll_to_region(around if fits else region, animate=False, force=True, immediate=True)

    def _tip(self) -> int:
        return next(reversed(self.model.kept_path()), 0)

    def on_resize(self, event: events.Resize) -> None:
        self._arrange(self._anchor())
        self._bring_into_view()
