"""How many units each group gives. `engine.pruning.allocations` counts them."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

ALLOCATIONS = by_name((
    Method("uniform", "The same share of every group, the remainder one by one from groups that "
           "are drawn", "the paper, Section 3.3"),
    Method("global", "The lowest scores wherever they are", "Gupta et al. (2022)"),
))  # fmt: skip
