"""The tree as a canvas: keys, mouse, and what the app tells it and hears from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Offset, Region
from textual.message import Message

from explorer.tui.widgets.tree_view import TreeView
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from explorer.views.tree.scene import Fitting

_PAN_CELLS, _PAN_LINES = 8, 2


class TreeCanvas(TreeView, can_focus=True):
    """The tree of a model: pan, zoom, fold, walk along the edges, search."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "walk('up')", "Parent", id="tree.parent", show=False),
        Binding("down,j", "walk('down')", "Child", id="tree.child", show=False),
        Binding("left,h", "walk('left')", "Left", id="tree.left", show=False),
        Binding("right,l", "walk('right')", "Right", id="tree.right", show=False),
        Binding("home", "walk('root')", "Root", id="tree.root", show=False),
        Binding("end", "walk('tip')", "Tip of the kept path", id="tree.tip", show=False),
        Binding("plus,equals_sign", "zoom(1)", "Zoom in", id="tree.zoom_in", show=False),
        Binding("minus", "zoom(-1)", "Zoom out", id="tree.zoom_out", show=False),
        Binding("f", "fit", "Fit", id="tree.fit", show=False),
        Binding("M", "toggle_map", "Minimap", id="tree.map", show=False),
        Binding("z", "fold", "Fold", id="tree.fold", show=False),
        Binding("enter", "activate", "Open", id="tree.activate", show=False),
        Binding("full_stop", "match(1)", "Next match", id="tree.next_match", show=False),
        Binding("comma", "match(-1)", "Previous match", id="tree.previous_match", show=False),
        Binding("shift+left", "pan(-1, 0)", "Pan left", id="tree.pan_left", show=False),
        Binding("shift+right", "pan(1, 0)", "Pan right", id="tree.pan_right", show=False),
        Binding("shift+up", "pan(0, -1)", "Pan up", id="tree.pan_up", show=False),
        Binding("shift+down", "pan(0, 1)", "Pan down", id="tree.pan_down", show=False),
    ]

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
        super().__init__(model, id=id, classes=classes)
        self._ways: dict[int, int] = {}  # by parent, the child that the person came up from

    # What the app calls

    @property
    def depth(self) -> int:
        """The depth of the deepest node that no fold hides."""
        return max(len(self._scene.layout.rows) - 1, 0)

    def show(self, model: TreeModel) -> None:
        """Shows another tree; the selection stays on the node of its name, else goes to the tip."""
        anchor, name = self._anchor(), self.selected
        self.model, self._ways, self._fitting = model, {}, Fitting(model)
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
        number = self._scene.at(*place)
        return None if number is None else self.model.nodes[number].name

    def on_mount(self) -> None:
        self.show(self.model)

    # Moving

    def _select(self, number: int) -> None:
        if not self._scene.layout.depths[number] >= 0:
            anchor = self._anchor()
            self.model.reveal(number)
            self._arrange(anchor)
        if number != self._cursor:
            before, self._cursor = self._cursor, number
            for touched in (before, number):
                self._touch(touched)
            self.post_message(self.Selected(self.model.nodes[number].name))
        self._bring_into_view()

    def _touch(self, number: int) -> None:
        """Has the lines of a node drawn again, and what lies over the tree."""
        if self._scene.layout.depths[number] >= 0:
            box = self._scene.box(number)
            for y in range(box.y, box.bottom):
                self._strips.pop(y, None)
            self.refresh_lines(box.y, box.height)
        self.refresh(Region(0, 0, self.size.width, 1))
        if self._map is not None:
            for top in (1, self._map.box.y):
                self.refresh(Region(*self._map.box._replace(y=top)))

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
            to = self._scene.layout.neighbour(here, -1 if way == "left" else 1)
        else:
            to = 0 if way == "root" else self._tip()
        if to is not None:
            self._select(to)

    def action_match(self, step: int) -> None:
        number = self.model.next_match(self._cursor, step)
        if number is not None:
            self._select(number)

    def action_zoom(self, step: int) -> None:
        self.zoom = self._scene.number + step

    def action_fit(self) -> None:
        """Goes back to the zoom that the space allows."""
        self.zoom = None

    def action_toggle_map(self) -> None:
        self._with_map = not self._with_map
        self._arrange(self._anchor())

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
        if place is None or not self.model.nodes:
            return
        if (there := self.map_place(*place)) is not None:
            corner = there - (self.size.width // 2, self.size.height // 2)
            self.scroll_to(*corner, animate=False, force=True)
            return
        if place.y == 0 and self.crumbs():
            if (number := self.crumb_at(place.x)) is not None:
                self._select(number)
            return
        name = self.name_at(place + self.scroll_offset)
        if name is not None:
            self.select(name)
            if event.chain == 2:
                self.action_fold()
