"""All of one node: how it stands, its figures, its edit, its epochs, its snapshots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.contracts.edits import Edit
from engine.contracts.methods.similarities import called
from engine.contracts.metrics import measure
from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.card_cells import ratio_texts
from explorer.tui.drawing.cells import similarity_text
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.counting import counted
from explorer.views.disturbed import is_disturbed
from explorer.views.node_view import EpochView, NodeDetails, NodeView
from explorer.views.removed import removed
from explorer.views.safe_text import safe

_LABEL = 12  # cells of the labels
_LAST_EPOCHS = 12  # of a phase; the first one is shown too


class NodePane(LinesView, can_focus=True):
    """A node's values, one a line."""

    DEFAULT_CSS = "NodePane { overflow-y: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", "Down", show=False),
        Binding("k", "scroll_up", "Up", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._shown: NodeDetails | None = None

    def show(self, details: NodeDetails | None) -> None:
        """Shows all that is known of a node."""
        if details == self._shown:
            return
        before = self._shown
        self._shown = details
        self.repaint()
        if details is None or before is None or details.node.name != before.node.name:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return node_lines(self._shown, width)


def node_lines(details: NodeDetails | None, width: int) -> list[Line]:
    """The node's values in lines of this width."""
    if details is None:
        return [[(fig.cut("no node is selected", width), "dim")]]
    node = details.node
    pairs = [*_standing(details), *_figures(node), *_edit(details.edit), *_marginal(node)]
    pairs += [("deciding", details.deciding, "")] if details.deciding else []
    pairs += [("doubt", doubt.words, "warning") for doubt in details.doubts]
    lines: list[Line] = [[(fig.cut(safe(node.name), width), "title")]]
    for label, text, tone in pairs:
        lines += _pair(label, text, tone, width)
    lines += _epoch_lines(details, width)
    for phase, sha256 in details.snapshots.items():
        lines += _pair(f"{phase[:9]} #", sha256, "dim", width)
    return lines


_Pair = tuple[str, str, str]  # label, text, tone


def _pair(label: str, text: str, tone: str, width: int) -> list[Line]:
    """A label and its text, in as many lines as it takes."""
    room = width - _LABEL
    if room < _LABEL:
        return [[(fig.cut(f"{label} {text}", width), tone)]]
    texts = fig.wrapped(safe(text), room) or [fig.NONE]
    labels = [label, *[""] * (len(texts) - 1)]
    return [[(fig.pad(a, _LABEL), "dim"), (b, tone)] for a, b in zip(labels, texts, strict=True)]


def _standing(details: NodeDetails) -> list[_Pair]:
    node = details.node
    kept = {True: "kept", False: "rejected", None: "undecided"}[node.kept]
    by = f" by {node.decided_by}" if node.decided_by else ""
    pairs = [
        ("structure", node.structure, ""),
        ("state", node.state, "bad" if node.state in ("failed", "cancelled") else ""),
        ("decision", f"{kept}{by}", "good" if node.kept else ""),
    ]
    if node.error:
        pairs.append(("error", node.error, "bad"))
    if node.tags:
        pairs.append(("tags", ", ".join(f"⚑{tag}" for tag in node.tags), "warning"))
    if node.note:
        pairs.append(("note", node.note, "info"))
    if details.created_at:
        pairs.append(("since", details.created_at[:19].replace("T", " "), ""))
    if node.dropped:
        pairs.append(("dropped", "yes: D takes it back", "warning"))
    return pairs


def _figures(node: NodeView) -> list[_Pair]:
    def number(key: str) -> float | None:
        return fig.number(node.measure(key))

    def label(key: str) -> str:
        return measure(key).label

    before, after = number("val_accuracy_before"), number("val_accuracy")
    test, gone = number("test_accuracy"), node.macs_reduction
    change = f"  ({before:.2f} before recovery)" if before is not None else ""
    macs = fig.count_text(number("macs"))
    by_second = number("similarity_second")
    second = [("  second", similarity_text(by_second), "")] if by_second is not None else []
    return [
        (called(node.similarity_by).short, similarity_text(number("similarity")) or fig.NONE, ""),
        *second,
        (label("val_accuracy"), fig.NONE if after is None else f"{after:.2f} %{change}", ""),
        (label("test_accuracy"), fig.NONE if test is None else f"{test:.2f} %", ""),
        (label("macs"), macs if gone is None else f"{macs}  {fig.percent_removed(gone)}", ""),
        (label("params"), fig.count_text(number("params")), ""),
        (label("latency_ms"), _latency(node), ""),
        ("time", fig.duration(node.seconds), ""),
    ]


def _latency(node: NodeView) -> str:
    """Milliseconds when it was measured, and how many times its parent's they were then."""
    own = fig.number(node.measure("latency_ms"))
    if own is None:
        return fig.NONE
    if is_disturbed(node):
        return "the machine was too busy to tell when it was measured"
    ratio = ratio_texts(node)
    return f"{own:.2f} ms, {ratio[0]} of its parent's then" if ratio else f"{own:.2f} ms"


def _edit(edit: Edit | None) -> list[_Pair]:
    if edit is None:
        return []
    pairs: list[_Pair] = [("removes", removed(edit), "")]
    if edit.units:
        each = "  ".join(f"{path}:{len(indices)}" for path, indices in edit.units)
        pairs.append(("", each, "dim"))
    return pairs


def _marginal(node: NodeView) -> list[_Pair]:
    """What was decided below this node."""
    if (decision := node.decision) is None:
        return []
    kept = ", ".join(decision.kept) or "none"
    pairs: list[_Pair] = [("keeps", kept, "good"), ("because", decision.reason, "")]
    if (margin := decision.margin) is not None:
        text = fig.signed(margin.value, 4)
        if margin.low is not None:
            text += f"  [{fig.signed(margin.low, 4)}, {fig.signed(margin.high, 4)}]"
        tone = "warning" if margin.too_close else ""
        pairs.append(("layer's margin", text + ("  too close to call" if tone else ""), tone))
    return pairs


def _epoch_lines(details: NodeDetails, width: int) -> list[Line]:
    """The epochs of each phase: the first, and the last ones."""
    lines: list[Line] = []
    for phase in dict.fromkeys(epoch.phase for epoch in details.epochs):
        own = [epoch for epoch in details.epochs if epoch.phase == phase]
        title = f"{safe(phase)}: {counted(len(own), 'epoch')}"
        lines.append([(fig.cut(title, width), "dim")])
        shown = own if len(own) <= _LAST_EPOCHS else [own[0], *own[-_LAST_EPOCHS + 1 :]]
        for epoch in shown:
            if epoch is shown[1 % len(shown)] and len(shown) < len(own):
                lines.append([("  …", "dim")])
            lines.append([(fig.cut(_epoch(epoch, details.row), width), "")])
    return lines


def _epoch(epoch: EpochView, row: str) -> str:
    loss, accuracy, rate = map(fig.number, (epoch.loss, epoch.accuracy, epoch.images_per_second))
    text = f"{'' if epoch.epoch is None else epoch.epoch + 1:>5}"
    text += "" if loss is None else f"  loss {loss:.4f}"
    text += "" if accuracy is None else f"  accuracy {accuracy:.2f} %"
    text += "" if rate is None else f"  {rate:,.0f} {fig.rows_text(row)}/s"
    return text
