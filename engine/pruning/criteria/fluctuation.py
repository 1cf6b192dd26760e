"""`fluctuation`: how much a unit's output varies. A bias can stand in for what is constant.

The variance of what a unit gives, over items and places, times the squared norm of the weights that
read it, summed over its channels (An et al., 2024, FLAP, Eq. 5). A block's is the variance of what
it adds, summed over channels. A batch norm behind a convolution counts with its weights.

Shape legend: B items of a chunk, L places, C channels, O numbers that read a channel, U units.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.signals import Look, Signal


def _moments(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    return [
        part
        for signal in signals
        for part in (signal.rows_BLC.double().sum((0, 1)), signal.squares_C, signal.count)
    ]


def _score(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    each = zip(place.weights_CO, sums[::3], sums[1::3], sums[2::3], strict=True)
    return place.per_unit(
        [
            weight_CO.double().square().sum(1).cpu() * _variance(sum_C, squares_C, count)
            for weight_CO, sum_C, squares_C, count in each
        ]
    )


def _variance(sum_C: Tensor, squares_C: Tensor, count: Tensor) -> Tensor:
    """Without bias; of a single number 0."""
    return (squares_C - sum_C.square() / count).clamp_min(0) / (count - 1).clamp_min(1)


FLUCTUATION = Look("fluctuation", _moments, _score)
