"""Numbers of things in words."""

from __future__ import annotations

from engine.contracts.message_text import plural


def counted(count: int, word: str) -> str:
    """`1 node`, `1,200 nodes`."""
    return f"{count:,} {word if count == 1 else plural(word)}"
