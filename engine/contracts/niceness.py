"""How far work steps back for whoever sits at the machine: each process of ours once, not a worker
on top of the one that started it."""

from __future__ import annotations

import os

NICENESS = 10  # keeps the terminal's keys quick while all cores compute


def step_back() -> None:
    """Lowers this process's priority to NICENESS, unless it is as low already."""
    os.nice(max(0, NICENESS - os.nice(0)))
