"""Numbers of things in words."""

from __future__ import annotations

from collections.abc import Sequence

from engine.contracts.message_text import plural


def counted(count: int, word: str) -> str:
    """`1 node`, `1,200 nodes`."""
    return f"{count:,} {word if count == 1 else plural(word)}"


def await_you(count: int, what: str = "") -> str:
    """`1 awaits you`, `2 decisions await you`."""
    told = counted(count, what) if what else f"{count:,}"
    return f"{told} {'awaits' if count == 1 else 'await'} you"


def listed(words: Sequence[str]) -> str:
    """`R.L`, `R.L and R.F`, `R.L, R.F and R.L2`."""
    *first, last = words or ("",)
    return f"{', '.join(first)} and {last}" if first else last
