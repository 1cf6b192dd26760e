"""How growing ended."""

from __future__ import annotations

from dataclasses import dataclass

from store import Node


@dataclass(frozen=True)
class Outcome:
    """The node at which growing ended, and why it stopped there."""

    tip: Node
    stopped: str
