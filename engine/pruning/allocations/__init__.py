"""How many units each group gives: every allocation by its name."""

from __future__ import annotations

from engine.pruning.allocations.equal import equal
from engine.pruning.allocations.erk import erk
from engine.pruning.allocations.lowest import lowest
from engine.pruning.allocations.offer import Allocation, Offer, Probe, Row
from engine.pruning.allocations.similarity import similarity
from engine.pruning.allocations.taking import Taking
from engine.pruning.allocations.uniform import uniform, uniform_quotas
from engine.pruning.allocations.zeroth import zeroth

__all__ = ["ALLOCATIONS", "Allocated", "Allocation", "Offer", "Probe", "Row"]

ALLOCATIONS: dict[str, Allocation] = {
    "uniform": uniform,
    "global": lowest,
    "equal": equal,
    "erk": erk,
    "similarity": similarity,
    "zeroth": zeroth,
}


class Allocated:
    """An offer as an allocation shares it out, looked at once and asked for many counts."""

    def __init__(self, name: str, offer: Offer, round_to: int = 1) -> None:
        self._offer = offer
        # Unit by unit `uniform` draws its remainder anew for each count, as the paper does.
        self._draws = name == "uniform" and round_to == 1
        widths = {group.path: group.num_units for group in offer.groups}
        self._taking = Taking(ALLOCATIONS[name](offer), widths, round_to)

    @property
    def most(self) -> int:
        """How many units can go at most."""
        return self._taking.most

    def quotas(self, count: int) -> dict[str, int]:
        """How many units each group gives when `count` go, or as near to it as whole steps allow;
        groups that give none may be left out."""
        if self._draws:
            return uniform_quotas(self._offer, min(count, self.most))
        return self._taking.quotas(count)
