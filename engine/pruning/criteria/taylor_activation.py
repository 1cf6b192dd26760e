"""`taylor-act`: by how much the loss changes without a unit, times how active it is.

|Σ x · ∂L/∂x| of a channel, the mean over the rows, times the root mean square of what it gives,
summed over the channels of a unit, or of what a block adds: their share of the products of gradient
and activation norm of GBLM (Das et al., 2023, Eq. 4).

Shape legend: B items of a chunk, C channels, U units.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.signals import Look, Signal
from engine.pruning.criteria.objectives import loss_of


def _products(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    return [
        part
        for signal in signals
        for part in (signal.changes_BC.double().abs().sum(0), signal.squares_C, signal.count)
    ]


def _score(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    each = zip(sums[::3], sums[1::3], sums[2::3], strict=True)
    return place.per_unit(
        [changes_C / num_rows * (squares_C / count).sqrt() for changes_C, squares_C, count in each]
    )


TAYLOR_ACTIVATION = Look("taylor-act", _products, _score, loss_of)
