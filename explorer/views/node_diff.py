"""Nodes and trees beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from engine.contracts.metrics import MEASURES, Measure, measure
from explorer.views.kept_path import kept_path
from explorer.views.node_view import PRINTED, NodeView
from explorer.views.shape_fields import told

COMPARED = tuple(m for m in MEASURES if m.key in (*PRINTED, "seconds"))
MEASURED = tuple(m.key for m in COMPARED if m.better != "neither")


@dataclass(frozen=True)
class Decided:
    """A decision on a kept path: who kept what at `parent`, and how clear that was."""

    parent: str = told("the node whose candidates were decided on")
    kept: tuple[str, ...] = told("the candidates that are kept")
    actor: str | None = told("who decided; null where none is kept")
    reason: str = told("why")
    margin: float | None = told("similarity of the layer candidate less the filter's")
    margin_low: float | None = told("lower end of the margin's 95 % interval")
    margin_high: float | None = told("its upper end")
    too_close: bool | None = told("whether the decision turns within the interval")


# ------------------------------------------------------------ rows of a comparison


@dataclass(frozen=True)
class WordRow:
    """What each node is in one respect, in words; None where there is nothing to say."""

    title: str
    words: tuple[str | None, ...]


@dataclass(frozen=True)
class Figure:
    """A node's value, and from the second node on its difference to the first one's. `better` is
    None where neither way is, or where both are equal as they are written."""

    text: str | None
    difference: float | None = None
    better: bool | None = None


@dataclass(frozen=True)
class FigureRow:
    """What each node measured."""

    measure: Measure
    figures: tuple[Figure, ...]


def word_rows(nodes: Sequence[NodeView]) -> list[WordRow]:
    """What words say of the nodes; only rows in which there is something."""
    rows = [
        WordRow("structure", tuple(node.structure for node in nodes)),
        WordRow("removes", tuple(node.removes for node in nodes)),
        WordRow("state", tuple(node.state for node in nodes)),
        WordRow("kept", tuple(_yes_or_no(node.kept) for node in nodes)),
        WordRow("decided by", tuple(node.decided_by for node in nodes)),
        WordRow("margin", tuple(_margin(node) for node in nodes)),
        WordRow("reason", tuple(d.reason if (d := node.decision) else None for node in nodes)),
        WordRow("tags", tuple(", ".join(node.tags) or None for node in nodes)),
        WordRow("note", tuple(node.note for node in nodes)),
    ]
    return [row for row in rows if any(word is not None for word in row.words)]


def _yes_or_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _margin(node: NodeView) -> str | None:
    return None if node.margin is None else f"{node.margin.value:+.4f}"


def figure_rows(nodes: Sequence[NodeView]) -> list[FigureRow]:
    """What the nodes measured beside what the first one did; only rows that any has a value of."""
    by = {node.similarity_by for node in nodes}
    how = by.pop() if len(by) == 1 else "cka"
    named = [measure(m.key, how) for m in COMPARED]
    rows = [(m, [node.measure(m.key) for node in nodes]) for m in named]
    return [figure_row(m, values) for m, values in rows if any(v is not None for v in values)]


def figure_row(measure: Measure, values: Sequence[float | None]) -> FigureRow:
    """One row of values, told apart from the first one."""
    first = values[0]
    figures = [Figure(None if first is None else measure.text(first))]
    for value in values[1:]:
        if value is None or first is None:
            figures.append(Figure(None if value is None else measure.text(value)))
            continue
        difference, better = value - first, None
        if measure.better != "neither" and measure.text(abs(difference)) != measure.text(0):
            better = (difference > 0) is (measure.better == "higher")
        figures.append(Figure(measure.text(value), difference, better))
    return FigureRow(measure, tuple(figures))


def differences(nodes: Sequence[NodeView]) -> list[dict[str, float]]:
    """What each node measured, less what the first one did; for the first one nothing."""
    first = nodes[0]
    found: list[dict[str, float]] = [{}]
    for node in nodes[1:]:
        pairs = ((key, node.measure(key), first.measure(key)) for key in MEASURED)
        found.append({key: a - b for key, a, b in pairs if a is not None and b is not None})
    return found


# ------------------------------------------------------------ kept paths


def decided(nodes: Sequence[NodeView]) -> list[Decided]:
    """The decisions along the kept path of a tree, from its root down."""
    by_name = {node.name: node for node in nodes}
    found = []
    for node in kept_path(nodes):
        if (decision := node.decision) is None:
            continue
        margin = decision.margin
        found.append(
            Decided(
                parent=node.name,
                kept=decision.kept,
                actor=next((by_name[name].decided_by for name in decision.kept), None),
                reason=decision.reason,
                margin=margin.value if margin else None,
                margin_low=margin.low if margin else None,
                margin_high=margin.high if margin else None,
                too_close=margin.too_close if margin else None,
            )
        )
    return found


def side_by_side(
    first: Sequence[NodeView], second: Sequence[NodeView]
) -> list[tuple[Decided | None, Decided | None]]:
    """The decisions of two kept paths, depth by depth; None where one path has ended."""
    return list(zip_longest(decided(first), decided(second)))
