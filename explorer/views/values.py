"""What the panes of the app show, as plain frozen values. No store, no textual, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.session.policy import Margin

NodeObject = Mapping[str, Any]  # a NODE of `log --json`


@dataclass(frozen=True)
class JobView:
    """One job of the session: what it does to which node, and how far it is."""

    node: str
    kind: str  # open, propose, recover, tune, export
    state: str = "queued"  # queued, running, paused, stopping
    phase: str = ""
    done: int = 0
    total: int = 0
    epoch: str | None = None  # "3/10"
    images_per_second: float | None = None
    eta_seconds: float | None = None
    device: str = ""
    memory_bytes: int | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, in [0, 1]; None while nothing is known."""
        return min(self.done / self.total, 1.0) if self.total > 0 else None


@dataclass(frozen=True)
class Card:
    """A parent's candidates side by side, and what is suggested or was decided.

    `edits` holds by candidate what its edit removes; `jobs` the work that goes on, by candidate.
    """

    parent: NodeObject
    root: NodeObject
    candidates: tuple[NodeObject, ...] = ()
    edits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    margin: Margin | None = None
    suggested: str | None = None
    reason: str = ""
    kept: tuple[str, ...] | None = None  # None while undecided
    decided_by: str | None = None
    step: int = 0  # the parent's depth + 1


@dataclass(frozen=True)
class StageView:
    """What is left of one stage of a network: blocks, and filters of their first convolutions."""

    name: str
    num_blocks: int
    root_blocks: int
    num_filters: int
    root_filters: int
    widths: tuple[int, ...] = ()  # of the remaining blocks' first convolutions, in order
