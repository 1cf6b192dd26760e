"""How many units each group gives. `engine.pruning.allocations` counts them."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

ALLOCATIONS = by_name((
    Method("uniform", "The same share of every group, the remainder one by one from groups that "
           "are drawn", "the paper, Section 3.3"),
    Method("global", "The lowest scores wherever they are", "Gupta et al. (2022)"),
    Method("equal", "The same number of every group that is as wide, as libraries reload it; "
           "nothing is drawn", "our own; the widths that stock Transformers have"),
    Method("erk", "Erdős-Rényi-Kernel densities as widths: the more weights a unit has, the more "
           "go", "Evci et al. (2020), Section 3"),
    Method("similarity", "More of blocks whose output is like their input (cosine)",
           "Pan et al. (2025)", "networks with blocks that keep their input's shape"),
    Method("zeroth", "More of groups that the loss heeds little, seen by two forward passes of "
           "each", "Sung et al. (2024)"),
))  # fmt: skip
