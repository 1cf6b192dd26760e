"""Measures and margins of nodes in words, for lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.contracts.metrics import measure
from explorer.views.node_view import NodeView


def number(value: float | None) -> float | None:
    """The value where it is a number that can be shown, else None."""
    return None if value is None or not math.isfinite(value) else float(value)


def figures_text(node: NodeView, keys: Sequence[str], between: str = "  ") -> str:
    """`CKA 0.9931  val % 93.40`: those of the measures that a node has."""
    known = ((measure(key, node.similarity_by), node.measure(key)) for key in keys)
    return between.join(f"{m.title} {m.text(value)}" for m, value in known if value is not None)


def labelled(key: str, value: float | None, similarity: str = "cka") -> str:
    """`val acc 93.40 %`; `val acc –` where it was not measured."""
    return f"{measure(key, similarity).label} {with_unit(key, value)}"


def with_unit(key: str, value: float | None) -> str:
    """`93.40 %`; `–` where it was not measured."""
    known = measure(key)
    return "–" if value is None else f"{known.text(value)} {known.unit}".rstrip()


def interval_text(value: float, low: float | None, high: float | None) -> str:
    """`-0.0168 [-0.0206, -0.0121]`: a margin and its interval."""
    if low is None or high is None:
        return f"{value:+.4f}"
    return f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
