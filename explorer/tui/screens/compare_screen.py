"""Nodes side by side: what each measures, and how far it is from the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable

from explorer.tui.drawing.cells import short_name
from explorer.views.safe_text import safe
from explorer.views.values import NodeObject, StageView

_NAME_CELLS = 20


class _Row(NamedTuple):
    """A metric: its title, where it is in a NODE, its format, and which way is better (0: none)."""

    title: str
    key: str
    format: Callable[[float], str]
    better: int = 0


_ROWS = (
    _Row("CKA to parent", "similarity", "{:.4f}".format, 1),
    _Row("val acc %", "val_accuracy", "{:.2f}".format, 1),
    _Row("  before recovery", "val_accuracy_before", "{:.2f}".format, 1),
    _Row("test acc %", "test_accuracy", "{:.2f}".format, 1),
    _Row("MACs", "macs", "{:,.0f}".format, -1),
    _Row("MACs removed %", "macs_reduction", "{:.2f}".format, 1),
    _Row("parameters", "params", "{:,.0f}".format, -1),
    _Row("latency ms", "latency_ms", "{:.3f}".format),  # of two moments: neither is better
    _Row("  × that of its parent", "latency_ratio", "{:.2f}".format, -1),
    _Row("seconds of work", "seconds", "{:,.1f}".format),
)
_WORDS = (
    ("structure", "structure"),
    ("state", "state"),
    ("decided by", "decided_by"),
    ("note", "note"),
)


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
        Binding("escape,q,c,enter", "dismiss(None)", "Close"),
        Binding("y", "copy", "Copy"),
    ]

    def __init__(
        self,
        nodes: Sequence[NodeObject],
        stages_of: Mapping[str, Sequence[StageView]] | None = None,
    ) -> None:
        super().__init__()
        self.nodes = tuple(nodes)
        self.rows = comparison(self.nodes, stages_of or {})

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Text(f"Compare {len(self.nodes)} nodes")
            box.border_subtitle = "▲ better ▼ worse than the first · y copies · Esc closes"
            yield DataTable[Text](cursor_type="none", fixed_columns=1, zebra_stripes=False)

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column(Text(""), key="title")
        for place, node in enumerate(self.nodes):
            # Names may come twice or hold anything, so places are the keys.
            table.add_column(Text(short_name(node["name"], _NAME_CELLS), "bold"), key=str(place))
        for title, values in self.rows:
            table.add_row(Text(title, "bold"), *values)
        table.focus()

    def action_copy(self) -> None:
        head = ["", *(safe(node["name"]) for node in self.nodes)]
        lines = [head, *([title, *(v.plain for v in values)] for title, values in self.rows)]
        self.app.copy_to_clipboard("\n".join("\t".join(each) for each in lines))
        self.app.notify("copied as a table", markup=False)


def comparison(
    nodes: Sequence[NodeObject], stages_of: Mapping[str, Sequence[StageView]]
) -> list[tuple[str, list[Text]]]:
    """The rows that any of the nodes has a value for, with differences to the first node."""
    rows = []
    for title, key in _WORDS:
        words = [node.get(key) for node in nodes]
        if any(words):
            rows.append((title, [Text(safe(str(word), 30) if word else "–") for word in words]))
    for row in _ROWS:
        numbers = [_number(node.get(row.key)) for node in nodes]
        if any(number is not None for number in numbers):
            first = numbers[0]
            rows.append((row.title, [_value(n, first, row, i) for i, n in enumerate(numbers)]))
    return rows + _stage_rows(nodes, stages_of)


def _stage_rows(
    nodes: Sequence[NodeObject], stages_of: Mapping[str, Sequence[StageView]]
) -> list[tuple[str, list[Text]]]:
    stages = [{stage.name: stage for stage in stages_of.get(n["name"], ())} for n in nodes]
    rows = []
    for name in dict.fromkeys(name for each in stages for name in each):
        found = [each.get(name) for each in stages]
        for what in ("blocks", "filters"):
            row = _Row(what, what, "{:,.0f}".format)
            counts = [None if s is None else float(getattr(s, f"num_{what}")) for s in found]
            values = [_value(n, counts[0], row, i) for i, n in enumerate(counts)]
            rows.append((f"{safe(name, 16)} {what}", values))
    return rows


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _value(number: float | None, first: float | None, row: _Row, place: int) -> Text:
    """A value and, from the second node on, its difference: signed, and ▲ or ▼ for the better."""
    if number is None:
        return Text("–", justify="right")
    text = Text(row.format(number), justify="right", no_wrap=True)
    if place and first is not None:
        difference = row.format(abs(number - first))
        if difference == row.format(0):
            return text.append("  =", "dim")
        mark = "▲▼"[(number - first) * row.better < 0] if row.better else ""
        style = {"▲": "bold green", "▼": "red"}.get(mark, "dim")
        sign = "+" if number > first else "−"
        text.append(f"  {sign}{difference}{mark}", style)
    return text
