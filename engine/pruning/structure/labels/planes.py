"""Planes: which label is where in a tensor.

A plane has a tensor's number of axes and holds a label an element, with size 1 along every axis
that the labels do not vary on. A tensor has several where they vary on different axes (channels,
places).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Info:
    """What is known of a tensor."""

    planes: list[Tensor] = field(default_factory=list)
    is_parameter: bool = False  # or moved data of one: its planes hold labels as they were given
    is_dynamic: bool = False  # depends on the network's input
    held: list[tuple[Tensor, str]] = field(default_factory=list)  # see `Carrier.hold`


NOTHING = Info()


def varied(plane: Tensor) -> set[int]:
    """The axes on which a plane's labels may differ."""
    return {axis for axis, size in enumerate(plane.shape) if size > 1}


def compact(plane: Tensor) -> Tensor | None:
    """Size 1 along axes without variation; None where there is no label at all.

    Labels that have become one still differ here: a plane keeps the axes that it was made for.
    """
    for axis, size in enumerate(plane.shape):
        if size > 1 and plane.stride(axis) == 0:
            plane = plane.narrow(axis, 0, 1)
    for axis, size in enumerate(plane.shape):
        if size > 1 and bool((plane == plane.narrow(axis, 0, 1)).all()):
            plane = plane.narrow(axis, 0, 1)
    return plane if plane.numel() and bool((plane != 0).any()) else None


def of_rank(plane: Tensor, rank: int) -> Tensor:
    """With further axes in front, as broadcasting has it."""
    return plane.reshape((1,) * (rank - plane.dim()) + tuple(plane.shape))


def along(plane: Tensor, axis: int) -> Tensor:
    """The labels at each index of an axis: a row an index."""
    return plane.movedim(axis, 0).reshape(plane.shape[axis], -1)


def placed(line: Tensor, axis: int, rank: int) -> Tensor:
    """A vector's plane, along an axis of a tensor of that rank."""
    shape = [1] * rank
    shape[axis] = -1
    return line.reshape(shape)


def full(plane: Tensor | None, shape: Sequence[int]) -> Tensor:
    """An element for each of a tensor's, without memory of their own."""
    return (torch.zeros((), dtype=torch.int64) if plane is None else plane).expand(tuple(shape))


def aligned(lists: Sequence[Sequence[Tensor]]) -> list[list[Tensor | None]]:
    """The planes of several tensors, matched by the axes that they vary on."""
    rows: list[tuple[set[int], list[Tensor | None]]] = []
    for position, planes in enumerate(lists):
        for plane in planes:
            axes = varied(plane)
            for known, row in rows:
                if row[position] is None and (axes & known or not (axes and known)):
                    row[position] = plane
                    known |= axes
                    break
            else:
                new: list[Tensor | None] = [None] * len(lists)
                new[position] = plane
                rows.append((axes, new))
    return [row for _, row in rows]


def reshaped(plane: Tensor, old: Sequence[int], new: Sequence[int]) -> Tensor:
    """The plane of a tensor that goes from one shape to another; where the labels do not vary,
    nothing is spread out."""
    spread, result = [], []
    for old_axes, new_axes in _factors(old, new):
        if any(plane.shape[axis] > 1 for axis in old_axes):
            spread += [old[axis] for axis in old_axes]
            result += [new[axis] for axis in new_axes]
        else:
            spread += [1] * len(old_axes)
            result += [1] * len(new_axes)
    return plane.expand(spread).reshape(result)


def _factors(old: Sequence[int], new: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Neighbouring axes of the old shape that become neighbouring ones of the new."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        before, after, a, b = [], [], 1, 1
        while True:
            if i < len(old) and (a <= b or j >= len(new)):
                a *= old[i]
                before.append(i)
                i += 1
            elif j < len(new):
                b *= new[j]
                after.append(j)
                j += 1
            if (a == b and after) or (i >= len(old) and j >= len(new)):
                break
        groups.append((before, after))
    return groups
