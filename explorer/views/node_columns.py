"""What columns the table of nodes can have, which of them fit, and what they show. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.contracts.metrics import measure
from explorer.views.safe_text import safe
from explorer.views.standing import standing
from explorer.views.tree.node import TreeNode

FigureOf = Callable[[str, str], float | None]  # a measure by the node's name and its key
_PADDING = 2  # cells beside every column


class Column(NamedTuple):
    """A column: what it is about, what stands above it, its width in cells."""

    key: str
    title: str
    width: int
    is_figure: bool = False


_SHORT = {"similarity": 6, "val_accuracy": 6, "macs_reduction": 7}  # those of a node in brief
# In the order in which they come where there is room. Not among them: milliseconds, which compare
# with nothing, and the ends of intervals.
_FURTHER = ("test_accuracy", "params", "latency_ratio", "val_accuracy_before", "val_loss", "macs")


def _of_measure(key: str) -> Column:
    known = measure(key)
    title = known.short if key in _SHORT else known.title
    return Column(key, title, _SHORT.get(key) or max(len(title), 8) + 1, True)


NODE = Column("node", "node", 22)
_FIGURES = {key: _of_measure(key) for key in (*_SHORT, *_FURTHER)}
_WORDS = {"structure": Column("structure", "structure", 9), "state": Column("state", "state", 10)}
COLUMNS = {NODE.key: NODE, **_FIGURES, **_WORDS}
CHOICES = (*_FIGURES, *_WORDS)  # what a person may have beside the name
USUAL = (*_SHORT, *_WORDS)


def columns_for(width: int, chosen: Sequence[str] = (), similarity: str = "cka") -> list[Column]:
    """The columns that a person chose; without a choice the usual ones as far as a table of
    this width has room, and further figures where there is more. That of similarities has the name
    of the run's measure."""
    title = measure("similarity", similarity).short
    found = _chosen(width, chosen)
    return [c._replace(title=title) if c.key == "similarity" else c for c in found]


def _chosen(width: int, chosen: Sequence[str]) -> list[Column]:
    if known := [key for key in chosen if key in CHOICES]:
        return [NODE, *(COLUMNS[key] for key in CHOICES if key in known)]
    wanted = list(USUAL)
    for key in _WORDS:  # which name and mark tell too
        if _total([NODE, *map(COLUMNS.__getitem__, wanted)]) > width:
            wanted.remove(key)
    for key in _FURTHER if len(wanted) == len(USUAL) else ():
        if _total([NODE, *map(COLUMNS.__getitem__, (*wanted, key))]) > width:
            break
        wanted.append(key)
    return [NODE, *(COLUMNS[key] for key in CHOICES if key in wanted)]


def _total(columns: Sequence[Column]) -> int:
    return sum(column.width + _PADDING for column in columns)


def value_of(column: Column, node: TreeNode, figure: FigureOf) -> float | str | None:
    """What a column sorts by; None where the node lacks it."""
    if not column.is_figure:
        return standing(node) if column.key == "state" else node.structure
    return node.measure(column.key) if column.key in _SHORT else figure(node.name, column.key)


def text_of(column: Column, node: TreeNode, figure: FigureOf) -> str:
    """What a column shows of a node; of its name the table draws more."""
    value = value_of(column, node, figure)
    if not column.is_figure:
        return safe(str(value), column.width)
    return "" if value is None else measure(column.key).text(float(value))
