"""A job of the session, as panes and dialogs show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JobView:
    """One job: what it does to which node, and how far it is."""

    node: str
    kind: str  # open, propose, recover, tune, export
    state: str = "queued"  # queued, running, paused
    phase: str = ""
    done: int = 0
    total: int = 0
    epoch: str | None = None  # "3/10"
    images_per_second: float | None = None
    row: str = "image"  # what is counted so
    eta_seconds: float | None = None
    device: str = ""
    memory_bytes: int | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, in [0, 1]; None while nothing is known."""
        return min(self.done / self.total, 1.0) if self.total > 0 else None
