"""What is trained of a candidate so that it recovers. `engine.training.recoveries` prepares it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

RECOVERIES = by_name((
    Method("full", "All weights are trained", "the paper, Section 4"),
))  # fmt: skip
