"""The same number of every group that is as wide: what a library reloads that has one number of
heads and one of neurons for all of its layers."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.structure import UnitGroup
from engine.pruning.allocations.offer import Offer, Row, evenly


def equal(offer: Offer) -> list[Row]:
    """Groups of a kind and a width give together, in proportion to their width; where one of them
    may give no more, none does. Nothing is drawn."""
    alike: dict[tuple[str, int], list[UnitGroup]] = {}
    for group in offer.groups:
        alike.setdefault((group.kind, group.num_units), []).append(group)
    return [
        Row(tuple(g.path for g in groups), evenly(groups[0], _room(groups, offer.rooms)))
        for groups in alike.values()
    ]


def _room(groups: list[UnitGroup], rooms: Mapping[str, int]) -> int:
    return min(rooms[group.path] for group in groups)
