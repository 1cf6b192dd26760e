"""The nodes of a tree as a table: sorted, filtered, and filled only as far as one scrolls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar

from rich.console import JustifyMethod
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import DataTable

from engine.contracts.metrics import measure
from explorer.tui.drawing import cells
from explorer.views.node_columns import NODE, Column, FigureOf, columns_for, text_of, value_of
from explorer.views.run_names import fitted_name
from explorer.views.standing import GLYPHS, MARKED, TAGGED, standing
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode

_PAGE = 60  # rows added at a time: a row takes DataTable 1 ms, so it holds a window of the nodes
_NEAR = 20  # rows from the edge of the window at which it moves


def _name_text(node: TreeNode, is_marked: bool) -> str:
    tag = TAGGED if node.tagged else MARKED if is_marked else " "
    return f"{GLYPHS[standing(node)]}{tag}{fitted_name(node.name, 20)}"


def _no_figure(name: str, key: str) -> float | None:
    return None


_SHORT_TEXTS: dict[str, Callable[[TreeNode], str]] = {
    "similarity": lambda node: cells.similarity_text(node.similarity),
    "val_accuracy": lambda node: cells.accuracy_text(node.val_accuracy),
    "macs_reduction": lambda node: (
        "" if node.macs_reduction is None else cells.macs_text(node.macs_reduction)
    ),
}


class NodeTable(DataTable[Text]):
    """The nodes of a model that meet its filter, one a row."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort_next", "Sort", id="table.sort"),
        Binding("S", "reverse", "Reverse", id="table.reverse", show=False),
        Binding("j", "cursor_down", "Down", id="table.down", show=False),
        Binding("k", "cursor_up", "Up", id="table.up", show=False),
        Binding("home,ctrl+home", "first", "First", id="table.first", show=False),
        Binding("end,ctrl+end", "last", "Last", id="table.last", show=False),
    ]
    DEFAULT_CSS = "NodeTable { height: 1fr; }"

    class Selected(Message):
        """The cursor is on another node."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class Activated(Message):
        """A node was asked for by enter or a click on its row."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(
        self,
        figure: FigureOf = _no_figure,
        chosen: Sequence[str] = (),
        *,
        model: TreeModel | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`figure` gives the measures that a node in brief lacks; `chosen` are the columns by key,
        none: those that fit."""
        super().__init__(cursor_type="row", zebra_stripes=False, id=id, classes=classes)
        self.model = model or TreeModel()
        self._sort: tuple[int, bool] | None = None  # column and reversed; None: as they came
        self._order: list[int] = []  # node numbers; `row_count` of them, from `_start` on, are rows
        self._start = 0
        self._name: str | None = None  # of the selected node
        self._columns: list[Column] = []
        self.chosen, self.figure = tuple(chosen), figure
        self.marked: Collection[str] = ()

    @property
    def selected(self) -> str | None:
        return self._name

    @property
    def position(self) -> tuple[int, int]:
        """The place of the selected node in the sorted rows, from 1 on, and how many there are."""
        return (self._start + self.cursor_row + 1 if self._order else 0), len(self._order)

    def on_mount(self) -> None:
        self._set_columns()
        self.show(self.model)

    def on_resize(self) -> None:
        if self._columns_now() != self._columns:
            self._set_columns()
            self._refill()

    @property
    def shown_columns(self) -> list[str]:
        """The columns beside the name, by key."""
        return [column.key for column in self._columns if column is not NODE]

    def choose_columns(self, keys: Sequence[str]) -> None:
        """Shows these columns beside the name; none: those that fit."""
        self.chosen = tuple(keys)
        self._set_columns()
        self._refill()

    def show_marked(self, names: Collection[str]) -> None:
        """Which nodes carry the sign of those that are marked."""
        if set(names) != set(self.marked):
            self.marked = tuple(names)
            self._refill()

    def _columns_now(self) -> list[Column]:
        by = self.model.nodes[0].similarity_by if self.model.nodes else "cka"
        return columns_for(self.size.width, self.chosen, by)

    def _set_columns(self) -> None:
        sorted_by = None if self._sort is None else self._columns[self._sort[0]].key
        self._columns = self._columns_now()
        keys = [column.key for column in self._columns]
        if self._sort is not None:
            reverse = self._sort[1]
            self._sort = (keys.index(sorted_by), reverse) if sorted_by in keys else None
        self.clear(columns=True)
        for place, column in enumerate(self._columns):
            self.add_column(column.title, width=column.width, key=str(place))

    def show(self, model: TreeModel) -> None:
        """Shows another tree; the cursor stays on the node of its name."""
        self.model = model
        if not self.columns:  # it will, once it is mounted
            return
        if self._columns_now() != self._columns:
            self._set_columns()
        self._refill()

    def update_nodes(self, changed: Iterable[TreeNode]) -> None:
        """Adds or changes nodes; the cursor stays on its node."""
        numbers = [self.model.put(node) for node in changed]
        order = self._ordered()
        window = slice(self._start, self._start + self.row_count)
        if order[window] != self._order[window]:
            self._refill()
            return
        self._order = order
        shown = set(order[window])
        for number in numbers:
            if number in shown:
                for place, text in enumerate(self._texts(number)):
                    self.update_cell(str(number), str(place), text)
        self._extend(self._start + self.cursor_row)

    def set_filter(self, text: str) -> None:
        """Shows only the nodes that meet the expression. Raises ValueError."""
        self.model.set_filter(text)
        self._refill()

    def select(self, name: str) -> None:
        """Puts the cursor on a node, if the filter lets it be seen. Raises KeyError."""
        number = self.model.number(name)
        if name != self._name and number in self._order:
            self._go(self._order.index(number))

    def sort_by(self, column: int, reverse: bool = False) -> None:
        """Sorts by a column; nodes that lack the value come last either way."""
        self._sort = (column, reverse)
        self._refill()

    # Rows

    def _ordered(self) -> list[int]:
        model = self.model
        order = list(range(len(model))) if model.matches is None else sorted(model.matches)
        if self._sort is None:
            return order
        place, reverse = self._sort
        keys = {i: self._sort_key(self._columns[place], model.nodes[i]) for i in order}
        known = [i for i in order if keys[i] is not None]
        missing = [i for i in order if keys[i] is None]
        return sorted(known, key=lambda i: keys[i], reverse=reverse) + missing

    def _sort_key(self, column: Column, node: TreeNode) -> Any:
        if column is NODE:
            return node.name.count("."), node.name
        return value_of(column, node, self.figure)

    def _refill(self) -> None:
        """Fills the table anew, with the cursor on the selected node."""
        self._order = self._ordered()
        number = None if self._name is None else self.model.find(self._name)
        self._move_window(self._order.index(number) if number in self._order else 0)
        self._title_columns()

    def _go(self, place: int) -> None:
        """Puts the cursor on the node at a place of the order, moving the window if it must."""
        if not self._start <= place < self._start + self.row_count:
            self._move_window(place)
        elif self._order:
            self.move_cursor(row=place - self._start, animate=False)
            self._extend(place)
            self._choose(place)

    def _move_window(self, place: int) -> None:
        self.clear()
        self._start = max(0, min(place, len(self._order)) - _PAGE)
        self._add_rows(self._start + 2 * _PAGE)
        if self._order:
            self.move_cursor(row=place - self._start, animate=False)
            self._choose(place)

    def _choose(self, place: int) -> None:
        name = self.model.nodes[self._order[place]].name
        if name != self._name:
            self._name = name
            self.post_message(self.Selected(name))

    def _extend(self, place: int) -> None:
        """Adds a page where the place is near the window's end."""
        end = self._start + self.row_count
        if place + _NEAR >= end:
            self._add_rows(end + _PAGE)

    def _add_rows(self, end: int) -> None:
        for number in self._order[self._start + self.row_count : end]:
            self.add_row(*self._texts(number), key=str(number))

    def _texts(self, number: int) -> list[Text]:
        node = self.model.nodes[number]
        style = {"kept": "bold", "rejected": "dim"}.get(standing(node), "")
        return [
            Text(
                self._text(column, node),
                style,
                no_wrap=True,
                justify="right" if column.is_figure else "left",
            )
            for column in self._columns
        ]

    def _text(self, column: Column, node: TreeNode) -> str:
        if column is NODE:
            return _name_text(node, node.name in self.marked)
        short = _SHORT_TEXTS.get(column.key)
        return text_of(column, node, self.figure) if short is None else short(node)

    def _title_columns(self) -> None:
        columns = zip(self._columns, self.ordered_columns, strict=True)
        for place, (column, shown) in enumerate(columns):
            arrow = ""
            if self._sort is not None and self._sort[0] == place:
                arrow = "▼" if self._sort[1] else "▲"
            side: JustifyMethod = "right" if column.is_figure else "left"
            shown.label = Text(column.title + arrow, justify=side)
        self.refresh()

    # Keys and mouse

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        place = self._start + event.cursor_row
        if place >= len(self._order) or event.row_key.value != str(self._order[place]):
            return  # of rows that are gone
        if event.cursor_row != self.cursor_row:
            return  # the cursor has moved on since
        self._choose(place)
        if event.cursor_row < _NEAR and self._start:
            self._move_window(place)
        else:
            self._extend(place)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if self._name is not None:
            self.post_message(self.Activated(self._name))

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        event.stop()
        place = event.column_index
        again = self._sort is not None and self._sort[0] == place
        self.sort_by(place, again and not (self._sort or (0, False))[1])

    def action_sort_next(self) -> None:
        place = -1 if self._sort is None else self._sort[0]
        place = (place + 1) % len(self._columns)
        column = self._columns[place]
        best_first = column.is_figure and measure(column.key).better == "higher"
        self.sort_by(place, reverse=best_first)

    def action_reverse(self) -> None:
        place, reverse = self._sort or (0, False)
        self.sort_by(place, not reverse)

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(max(len(self._order) - 1, 0))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.row_count:  # none in the midst of clear(), which scrolls
            self._extend(self._start + int(new_value) + self.size.height)
