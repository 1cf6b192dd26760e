"""Whether a clock was disturbed: then there is no latency, but that the machine was busy."""

from __future__ import annotations

from explorer.views.measured_text import number
from explorer.views.node_view import NodeView

WIDEST = 1.5  # of an interval, as a ratio of its ends


def disturbed(low: float | None, high: float | None) -> bool:
    """Whether the ends of a ratio's interval are so far apart that its value says little."""
    return low is not None and high is not None and high > WIDEST * low


def is_disturbed(node: NodeView) -> bool:
    """Whether the machine was too busy when a node's latency was measured beside its parent's."""
    low, high = (number(node.measure(f"latency_ratio_{end}")) for end in ("low", "high"))
    return disturbed(low, high)
