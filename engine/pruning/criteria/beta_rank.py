"""`beta-rank`: the weights that make a unit, times how much what it gives varies for what it gets
(Homayounfar et al., 2023).

|W| · σ(out) / σ(in), the mean over places: σ(out) is the deviation of a place of the unit's output
over the items, σ(in) that of all numbers in the window that the place is made of, |W| the mean
absolute weight. Theirs is scaled to [0, 1] in each layer, which changes no order within it. A
block's is the mean of σ(what it adds) / σ(what it gets), over places and channels. A batch norm
behind a convolution counts with its weights.

Shape legend: B items of a chunk, L places of the output, M places of the input, C channels, U
units, O numbers that make a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.pruning.criteria.any_network.places import Place
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.criteria.any_network.signals import Look, Signal

NAME = "beta-rank"
CONVOLVE: dict[type[nn.Module], Any] = {
    nn.Conv1d: F.conv1d,
    nn.Conv2d: F.conv2d,
    nn.Conv3d: F.conv3d,
}


def _moments(place: Place, signals: Sequence[Signal]) -> list[Tensor]:
    found: list[Tensor] = []
    modules: Sequence[nn.Module | None] = place.modules or [None]
    for signal, module in zip(signals, modules, strict=True):
        path = signal.reader.path
        if len(signal.values) != 1 or len(signal.got) != 1:
            raise refused(NAME, f"compares input and output, and {path} runs several times")
        out_BLC = signal.rows_BLC.double()
        found += [out_BLC.sum(0), out_BLC.square().sum(0), torch.tensor(float(len(out_BLC)))]
        got = _got(signal, module)
        if type(module) not in CONVOLVE and got.shape[1] != out_BLC.shape[1]:
            why = "compares input and output place by place"
            raise refused(NAME, f"{why}, and {path} gives others than it gets")
        found += [got.mean(-1).sum(0), got.square().mean(-1).sum(0)]
    return found


def _got(signal: Signal, module: nn.Module | None) -> Tensor:
    """What was got as (B, M, C), or for a convolution with all its axes as (B, …, C)."""
    (got,) = signal.got
    if type(module) in CONVOLVE:
        return got.double().movedim(1, -1)
    reader = signal.reader
    channel_axis = reader.channel_axis if module is None else got.dim() - 1
    moved = got.double().movedim((reader.item_axis, channel_axis), (0, -1))
    return moved.reshape(signal.num_items, -1, moved.shape[-1])


def _score(place: Place, sums: Sequence[Tensor], num_rows: int) -> Tensor:
    modules: Sequence[nn.Module | None] = place.modules or [None]
    found, parts = [], zip(*(sums[n::5] for n in range(5)), strict=True)
    for module, weight_CO, (out_LC, squares_LC, count, got, got_squares) in zip(
        modules, place.weights_CO, parts, strict=True
    ):
        varies_LC = _deviation(out_LC / count, squares_LC / count)
        mean, square = (_windowed(module, each / count) for each in (got, got_squares))
        given_L1 = _deviation(mean, square).flatten()[:, None]
        ratio_LC = torch.where(given_L1 > 0, varies_LC / given_L1, torch.zeros(()).double())
        found.append(ratio_LC.mean(0) * weight_CO.double().abs().mean(1).cpu())
    return place.per_unit(found) / sum(reader.ids_UI.shape[1] for reader in place.readers)


def _deviation(mean: Tensor, square: Tensor) -> Tensor:
    return (square - mean.square()).clamp_min(0).sqrt()


def _windowed(module: nn.Module | None, values: Tensor) -> Tensor:
    """The mean of values at places over the window of each place of a convolution's output, what
    is padded left out; elsewhere the values."""
    if not isinstance(module, nn.modules.conv._ConvNd) or type(module) not in CONVOLVE:
        return values
    window = torch.ones(1, 1, *module.kernel_size, dtype=values.dtype)
    how: dict[str, Any] = {
        name: getattr(module, name) for name in ("stride", "padding", "dilation")
    }
    convolve = CONVOLVE[type(module)]
    sums, counts = (
        convolve(each[None, None], window, **how) for each in (values, torch.ones_like(values))
    )
    result: Tensor = sums / counts
    return result[0, 0]


BETA_RANK = Look(NAME, _moments, _score, made=True)
