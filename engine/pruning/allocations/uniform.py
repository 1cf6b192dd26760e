"""The same share of every group."""

from __future__ import annotations

import numpy as np

from engine.pruning.allocations.offer import Offer, Row, evenly


def uniform(offer: Offer) -> list[Row]:
    """In whole steps: in proportion to the groups' widths; ties are drawn."""
    groups = [group for group in offer.groups if group.path not in offer.kept]
    draws = np.random.default_rng(offer.seed).permutation(len(groups))
    shuffled = [groups[i] for i in draws]
    return [Row((g.path,), evenly(g, offer.rooms[g.path])) for g in shuffled]


def uniform_quotas(offer: Offer, count: int) -> dict[str, int]:
    """Unit by unit: the same fraction of every group, rounded down, the remainder one by one from
    randomly drawn ones (the paper, Section 3.3)."""
    groups, rooms = [g for g in offer.groups if g.path not in offer.kept], offer.rooms
    width = sum(group.num_units for group in groups)
    if not width:
        return {}
    quotas = {g.path: min(g.num_units * count // width, rooms[g.path]) for g in groups}
    random = np.random.default_rng(offer.seed)
    for _ in range(min(count, sum(rooms[g.path] for g in groups)) - sum(quotas.values())):
        open_groups = [g.path for g in groups if quotas[g.path] < rooms[g.path]]
        quotas[open_groups[random.integers(len(open_groups))]] += 1
    return quotas
