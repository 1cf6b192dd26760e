"""A duration as everything here writes it."""

from __future__ import annotations

import math

UNKNOWN = "–"


def duration(seconds: float | None) -> str:
    """`1:40` or `2:03:00`; `–` where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
