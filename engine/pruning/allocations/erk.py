"""Erdős-Rényi-Kernel densities as widths (Evci et al., 2020)."""

from __future__ import annotations

import math

import numpy as np

from engine.contracts.structure import UnitGroup
from engine.pruning.allocations.offer import Moments, Offer, Row


def erk(offer: Offer) -> list[Row]:
    """Each group keeps the share ε · (n_out + n_in + k_h + k_w) / (n_out · n_in · k_h · k_w) of its
    units, all of them where that is above one (their Section 3, with a unit for a weight); the
    more go, the smaller is the one ε of all groups."""
    return [Row((g.path,), _moments(g, offer)) for g in offer.groups]


def _moments(group: UnitGroup, offer: Offer) -> Moments:
    """A unit goes when the share that is kept leaves less than half of it."""
    kept = group.num_units - np.arange(1, offer.rooms[group.path] + 1) + 0.5
    return np.asarray(-kept / (group.num_units * density(group, offer)), np.float64)  # -ε ascends


def density(group: UnitGroup, offer: Offer) -> float:
    """The density of the weight that makes a group's units, but for ε."""
    read = {(consumer.tensor, consumer.axis) for consumer in group.consumers}
    made = (m for m in group.members if (m.tensor, m.axis) not in read)
    shapes = [shape for m in made if len(shape := offer.shapes.get(m.tensor, ())) > 1]
    # A group that nothing but vectors make (a norm's gain) has a column.
    shape = max(shapes, key=math.prod, default=(group.num_units, 1))
    return sum(shape) / math.prod(shape)
