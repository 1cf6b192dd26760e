"""Adaptive average pooling whose gradient is the same each time on a GPU: torch's own adds with
atomic operations there, in any order.

Shapes: B images, C channels, H and W rows and columns.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class EvenPool(nn.AdaptiveAvgPool2d):
    """nn.AdaptiveAvgPool2d as an average over equal windows, or each pixel repeated, where sizes
    divide; elsewhere torch's own."""

    def forward(self, input: Tensor) -> Tensor:
        height, width = input.shape[-2:]
        rows, columns = _pair(self.output_size, height, width)
        if height % rows == 0 and width % columns == 0:
            return F.avg_pool2d(input, (height // rows, width // columns))
        if rows % height == 0 and columns % width == 0:
            down, across = rows // height, columns // width
            repeated = input[..., :, None, :, None].expand(
                *input.shape[:-2], height, down, width, across
            )
            return repeated.reshape(*input.shape[:-2], rows, columns)
        return super().forward(input)


def with_even_pools(model: nn.Module) -> int:
    """Makes every adaptive pooling to more than one pixel such a one, in place; says how many.

    To one pixel it is a mean, which has an order.
    """
    found = [
        module
        for module in model.modules()
        if type(module) is nn.AdaptiveAvgPool2d and module.output_size not in (1, (1, 1), [1, 1])
    ]
    for module in found:
        module.__class__ = EvenPool
    return len(found)


def _pair(size: object, height: int, width: int) -> tuple[int, int]:
    """The size that is wanted; None keeps the one that is there."""
    rows, columns = size if isinstance(size, tuple | list) else (size, size)
    return (
        height if rows is None else int(rows),
        width if columns is None else int(columns),
    )
