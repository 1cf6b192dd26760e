"""`hrank`: the mean rank of the maps that a unit gives to its readers, or that a block adds (Lin et
al., 2020, HRank, Eq. 5).

Units without a map are refused: neurons, heads, filters that are flattened before they are read.

Shape legend: B items of a chunk, C channels, H height, W width, U units.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.criteria.any_network.signals import Look, Signal

NAME = "hrank"


def _ranks(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    if not any(_gives_maps(signal) for signal in signals):
        path = signals[0].reader.path
        what = f"what {path} reads" if place.block is None else f"what {path} adds"
        raise refused(NAME, f"looks at the ranks of feature maps, and {what} is none")
    return [part for signal in signals for part in _ranks_of(signal)]


def _gives_maps(signal: Signal) -> bool:
    return signal.reader.channel_axis == 1 and all(value.dim() == 4 for value in signal.values)


def _ranks_of(signal: Signal) -> tuple[Tensor, Tensor]:
    """The ranks of each channel's maps added up, and how many maps it has."""
    maps_BCHW = torch.cat(signal.values) if _gives_maps(signal) and signal.values else None
    if maps_BCHW is None:
        return torch.zeros(signal.reader.num_channels), torch.zeros(())
    return torch.linalg.matrix_rank(maps_BCHW).sum(0), torch.tensor(float(len(maps_BCHW)))


def _mean(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    """Of what is read in several ways (pooled, too), that which has most of it."""
    means = []
    for reader, ranks_C, count in zip(place.readers, sums[::2], sums[1::2], strict=True):
        means.append((ranks_C / count.clamp_min(1))[reader.ids_UI.cpu()].mean(1))
    return torch.stack(means).amax(0)


HRANK = Look(NAME, _ranks, _mean)
