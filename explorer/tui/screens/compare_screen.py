"""Nodes side by side: what each measures, and how far it is from the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable

from engine.contracts.metrics import Measure
from explorer.tui.drawing.cells import short_name
from explorer.tui.key_bindings import bindings
from explorer.views.network_structure import StageView
from explorer.views.node_diff import Figure, FigureRow, figure_row, figure_rows, word_rows
from explorer.views.node_view import NodeView
from explorer.views.safe_text import safe

_NAME_CELLS = 20
_WORDS = ("structure", "state", "decided by", "note")  # the rows of words that are shown


class CompareScreen(ModalScreen[None]):
    """A table: a column a node, a row a metric, differences to the first node beside each value."""

    DEFAULT_CSS = """
    CompareScreen {
        #box {
            width: 100%; height: 100%; background: $surface;
            border: round $accent; border-title-color: $accent; border-title-style: bold;
            border-subtitle-color: $foreground;
        }
        DataTable { height: 1fr; background: $surface; }
        &:ansi { background: ansi_default; #box, DataTable { background: ansi_default; } }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(
            "compare",
            {
                "leave": "dismiss(None)",
                "copy": "copy",
                "networks": "networks",
                "up": "scroll('up')",
                "down": "scroll('down')",
                "left": "scroll('left')",
                "right": "scroll('right')",
            },
        ),
    ]

    def __init__(
        self,
        nodes: Sequence[NodeView],
        stages_of: Mapping[str, Sequence[StageView]] | None = None,
        see_networks: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._see_networks = see_networks
        self.nodes = tuple(nodes)
        self.rows = comparison(self.nodes, stages_of or {})

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Text(f"Compare {len(self.nodes)} nodes")
            box.border_subtitle = "▲ better ▼ worse than the first · v networks · y copies · Esc"
            yield DataTable[Text](cursor_type="none", fixed_columns=1, zebra_stripes=False)

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column(Text(""), key="title")
        for place, node in enumerate(self.nodes):
            # Names may come twice or hold anything, so places are the keys.
            table.add_column(Text(short_name(node.name, _NAME_CELLS), "bold"), key=str(place))
        for title, values in self.rows:
            table.add_row(Text(title, "bold"), *values)
        table.focus()

    def action_scroll(self, way: str) -> None:
        getattr(self.query_one(DataTable), f"scroll_{way}")(animate=False)

    def action_networks(self) -> None:
        """How the networks of the first two differ."""
        if len(self.nodes) > 1:
            self._see_networks()

    def action_copy(self) -> None:
        head = ["", *(safe(node.name) for node in self.nodes)]
        lines = [head, *([title, *(v.plain for v in values)] for title, values in self.rows)]
        self.app.copy_to_clipboard("\n".join("\t".join(each) for each in lines))
        self.app.notify("copied as a table", markup=False)


def comparison(
    nodes: Sequence[NodeView], stages_of: Mapping[str, Sequence[StageView]]
) -> list[tuple[str, list[Text]]]:
    """The rows that any of the nodes has a value for, with differences to the first node."""
    rows = [
        (row.title, [Text(safe(word, 30) if word else "–") for word in row.words])
        for row in word_rows(nodes)
        if row.title in _WORDS and any(row.words)
    ]
    rows += [(row.measure.heading, _values(row)) for row in figure_rows(nodes)]
    return rows + _stage_rows(nodes, stages_of)


def _stage_rows(
    nodes: Sequence[NodeView], stages_of: Mapping[str, Sequence[StageView]]
) -> list[tuple[str, list[Text]]]:
    stages = [{stage.name: stage for stage in stages_of.get(n.name, ())} for n in nodes]
    rows = []
    for name in dict.fromkeys(name for each in stages for name in each):
        found = [each.get(name) for each in stages]
        unit = next(stage.unit for stage in found if stage is not None)
        counts = {
            "blocks": [None if s is None else s.num_blocks for s in found],
            f"{unit}s": [None if s is None else s.num_units for s in found],
        }
        if not any(stage is not None and stage.root_blocks for stage in found):
            del counts["blocks"]
        for what, values in counts.items():
            row = figure_row(Measure(what, what, what, "", ",.0f", "neither"), values)
            rows.append((f"{safe(name, 16)} {what}", _values(row)))
    return rows


def _values(row: FigureRow) -> list[Text]:
    return [_value(figure, row.measure) for figure in row.figures]


def _value(figure: Figure, measure: Measure) -> Text:
    """A value and, from the second node on, its difference: signed, and ▲ or ▼ for the better."""
    if figure.text is None:
        return Text("–", justify="right")
    text = Text(figure.text, justify="right", no_wrap=True)
    if figure.difference is not None:
        difference = measure.text(abs(figure.difference))
        if difference == measure.text(0):
            return text.append("  =", "dim")
        mark = "" if figure.better is None else "▲" if figure.better else "▼"
        style = {"▲": "bold green", "▼": "red"}.get(mark, "dim")
        sign = "+" if figure.difference > 0 else "−"
        text.append(f"  {sign}{difference}{mark}", style)
    return text
