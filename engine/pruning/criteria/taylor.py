"""`taylor`: by how much the loss changes without a unit, to first order.

|Σ a · ∂L/∂a| over all that a unit gives, or a block adds, the mean over the rows (Molchanov et al.,
2017, Eq. 8); L is the cross-entropy of an item. The sum over a map's places, where theirs is the
mean: it is the change of the loss itself, and so compares layers.

Shape legend: B items of a chunk, C channels, U units.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.signals import Look, Signal
from engine.pruning.criteria.objectives import loss_of


def changes(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    """By how much the objective of each item changes, at all readers of a unit together."""
    changes_BU = place.per_unit([signal.changes_BC for signal in signals])
    return [changes_BU.double().abs().sum(0)]


def mean(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    """What was summed, for a row."""
    return sums[0] / num_rows


TAYLOR = Look("taylor", changes, mean, loss_of)
