"""`activation`: the weights that read a unit, times how active it is.

|W| · ‖x‖, where W are the weights that read a unit and ‖x‖ the root mean square of what they read,
the mean over these weights (Sun et al., 2024, Wanda, Eq. 1, over a whole unit). A block's is the
mean of ‖x‖ over the channels of what it adds. A batch norm behind a convolution counts with its
weights.

Shape legend: C channels, O numbers that read a channel, U units.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.signals import Look, Signal


def _squares(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    return [part for signal in signals for part in (signal.squares_C, signal.count)]


def _score(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    each = zip(place.weights_CO, sums[::2], sums[1::2], strict=True)
    products = [
        weight_CO.double().abs().sum(1).cpu() * (squares_C / count).sqrt()
        for weight_CO, squares_C, count in each
    ]
    return place.per_unit(products) / place.num_weights


ACTIVATION = Look("activation", _squares, _score)
