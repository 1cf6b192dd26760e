"""What ranks blocks and units. `engine.pruning.criteria` does it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

CRITERIA = by_name((
    Method("kl", "The mean KL divergence of the network's answers without a structure from those "
           "with it, exact", "the paper, Eq. 4", "CIFAR ResNets", "exact, {items}"),
    Method("kl-fast", "The same, estimated where it is small", "the paper, Eq. 4; our estimate",
           looked_at="estimated where it is small, {items}"),
    Method("kl-fisher", "The same to second order in what a unit gives, from gradients",
           "Theis et al. (2018)", looked_at="estimated from gradients, {items}"),
    Method("l1", "The mean absolute weight of what makes a unit", "Li et al. (2017)",
           looked_at="the weights alone"),
))  # fmt: skip
