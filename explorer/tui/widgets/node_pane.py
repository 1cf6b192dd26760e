"""All of one node: how it stands, its figures, its edit, its epochs, its snapshots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import similarity_text
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.safe_text import safe
from explorer.views.values import NodeObject

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
        self._node: NodeObject | None = None

    def show(self, node: NodeObject | None) -> None:
        """Shows a NODE, which may hold `edit`, `epochs` ({phase, epoch, loss, …}), `snapshots`
        (SHA-256 by phase), `tags`, `note` and `created_at` too."""
        if node == self._node:
            return
        is_other = node is None or self._node is None or node["name"] != self._node["name"]
        self._node = node
        self.repaint()
        if is_other:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return node_lines(self._node, width)


def node_lines(node: NodeObject | None, width: int) -> list[Line]:
    """The node's values in lines of this width."""
    if node is None:
        return [[(fig.cut("no node is selected", width), "dim")]]
    pairs = [*_standing(node), *_figures(node), *_edit(node.get("edit")), *_marginal(node)]
    lines: list[Line] = [[(fig.cut(safe(node["name"]), width), "title")]]
    for label, text, tone in pairs:
        lines += _pair(label, text, tone, width)
    lines += _epoch_lines(node.get("epochs") or (), width)
    for phase, sha256 in (node.get("snapshots") or {}).items():
        lines += _pair(f"{phase[:9]} #", str(sha256), "dim", width)
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


def _standing(node: NodeObject) -> list[_Pair]:
    kept = {True: "kept", False: "rejected", None: "undecided"}[node.get("kept")]
    by = f" by {node['decided_by']}" if node.get("decided_by") else ""
    pairs = [
        ("structure", str(node["structure"]), ""),
        ("state", str(node["state"]), "bad" if node["state"] in ("failed", "cancelled") else ""),
        ("decision", f"{kept}{by}", "good" if node.get("kept") else ""),
    ]
    if node.get("error"):
        pairs.append(("error", str(node["error"]), "bad"))
    if node.get("tags"):
        pairs.append(("tags", ", ".join(f"⚑{tag}" for tag in node["tags"]), "warning"))
    if node.get("note"):
        pairs.append(("note", str(node["note"]), "info"))
    if node.get("created_at"):
        pairs.append(("since", str(node["created_at"])[:19].replace("T", " "), ""))
    if node.get("dropped"):
        pairs.append(("dropped", "yes: D takes it back", "warning"))
    return pairs


def _figures(node: NodeObject) -> list[_Pair]:
    before, after = (fig.number(node.get(f"val_accuracy{x}")) for x in ("_before", ""))
    change = f"  ({before:.2f} before recovery)" if before is not None else ""
    test, latency = (fig.number(node.get(key)) for key in ("test_accuracy", "latency_ms"))
    macs = fig.count_text(node.get("macs"))
    gone = node.get("macs_reduction")
    return [
        ("CKA", similarity_text(fig.number(node.get("similarity"))) or fig.NONE, ""),
        ("val acc", fig.NONE if after is None else f"{after:.2f} %{change}", ""),
        ("test acc", fig.NONE if test is None else f"{test:.2f} %", ""),
        ("MACs", macs if gone is None else f"{macs}  {fig.percent_removed(gone)}", ""),
        ("params", fig.count_text(node.get("params")), ""),
        ("latency", fig.NONE if latency is None else f"{latency:.2f} ms", ""),
        ("time", fig.duration(node.get("seconds")), ""),
    ]


def _edit(edit: Mapping[str, Any] | None) -> list[_Pair]:
    if not edit:
        return []
    if edit.get("blocks"):
        return [("removes", ", ".join(map(str, edit["blocks"])), "")]
    filters = edit.get("filters") or {}
    count = sum(len(indices) for indices in filters.values())
    pairs: list[_Pair] = [("removes", f"{count} filters of {len(filters)} convolutions", "")]
    each = "  ".join(f"{path}:{len(indices)}" for path, indices in filters.items())
    return [*pairs, ("", each, "dim")]


def _marginal(node: NodeObject) -> list[_Pair]:
    """What was decided below this node."""
    if node.get("decision") is None:
        return []
    kept = ", ".join(node["decision"]) or "none"
    pairs: list[_Pair] = [("keeps", kept, "good"), ("because", str(node.get("reason") or ""), "")]
    if node.get("margin") is not None:
        text = fig.signed(node["margin"], 4)
        if node.get("margin_low") is not None:
            low, high = (fig.signed(node[f"margin_{end}"], 4) for end in ("low", "high"))
            text += f"  [{low}, {high}]"
        tone = "warning" if node.get("too_close") else ""
        pairs.append(("margin L−F", text + ("  too close to call" if tone else ""), tone))
    return pairs


def _epoch_lines(epochs: Sequence[Mapping[str, Any]], width: int) -> list[Line]:
    """The epochs of each phase: the first, and the last ones."""
    lines: list[Line] = []
    for phase in dict.fromkeys(str(epoch.get("phase", "")) for epoch in epochs):
        own = [epoch for epoch in epochs if str(epoch.get("phase", "")) == phase]
        title = f"{safe(phase)}: {len(own)} epochs"
        lines.append([(fig.cut(title, width), "dim")])
        shown = own if len(own) <= _LAST_EPOCHS else [own[0], *own[-_LAST_EPOCHS + 1 :]]
        for epoch in shown:
            if epoch is shown[1 % len(shown)] and len(shown) < len(own):
                lines.append([("  …", "dim")])
            lines.append([(fig.cut(_epoch(epoch), width), "")])
    return lines


def _epoch(epoch: Mapping[str, Any]) -> str:
    place, loss, accuracy = (fig.number(epoch.get(k)) for k in ("epoch", "loss", "accuracy"))
    text = f"{'' if place is None else int(place) + 1:>5}"
    text += "" if loss is None else f"  loss {loss:.4f}"
    text += "" if accuracy is None else f"  accuracy {accuracy:.2f} %"
    rate = fig.number(epoch.get("images_per_second"))
    text += "" if rate is None else f"  {rate:,.0f} img/s"
    return text
