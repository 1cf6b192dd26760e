"""Operations that move values: the same is done to their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.carrier import Carrier, Rule
from engine.pruning.structure.labels.planes import (
    aligned,
    compact,
    full,
    of_rank,
    placed,
    reshaped,
    varied,
)

aten = torch.ops.aten
_VIEWS = (aten.view, aten._unsafe_view, aten._reshape_alias)
_JOINED = (aten.cat, aten.stack)
PICKED = "they are picked by number"


def move(run: Carrier, call: Call) -> list[list[Tensor]]:
    """The planes of each result."""
    packet = call.func.overloadpacket
    if packet in _VIEWS:
        results = [_view(run, call)]
    elif packet in _JOINED:
        results = [_joined(run, call)]
    else:
        results = [[] for _ in call.outs]
        _note_picks(run, call)
        for plane in run.planes(call.tensor(0)):
            moved = on_labels(call, full(plane, call.tensor(0).shape))
            for result, each in zip(results, moved, strict=True):
                if (small := compact(each)) is not None:
                    result.append(small)
    if all(run.info(tensor).is_parameter for tensor in call.inputs):
        return results
    pairs = zip(results, call.outs, strict=True)
    return [run.join(r, o.dim()) if len(r) > 1 else r for r, o in pairs]


def on_labels(call: Call, labels: Tensor | list[Tensor]) -> list[Tensor]:
    """What the operation makes of labels in place of its first argument."""
    args, kwargs = tree_map(_on_cpu, (call.args[1:], dict(call.kwargs)))
    try:
        moved: Any = call.func(labels, *args, **kwargs)
    except (RuntimeError, NotImplementedError):  # no kernel for integers
        numbers = [a.double() for a in labels] if isinstance(labels, list) else labels.double()
        moved = call.func(numbers, *args, **kwargs)
    results = moved if isinstance(moved, list | tuple) else [moved]
    return [result.long() for result in results if isinstance(result, Tensor)]


def _on_cpu(value: object) -> object:
    return value.cpu() if isinstance(value, Tensor) else value


def _view(run: Carrier, call: Call) -> list[Tensor]:
    x, out = call.tensor(0), call.out
    results = []
    for plane in run.planes(x):
        spread = reshaped(plane, x.shape, out.shape)
        if len(varied(spread)) > len(varied(plane)):
            run.splits.append(spread)
        if (small := compact(spread)) is not None:
            results.append(small)
    return results


def _joined(run: Carrier, call: Call) -> list[Tensor]:
    parts: Sequence[Tensor] = call.args[0]
    rank = call.out.dim()
    parts = [part for part in parts if part.dim() >= rank - 1 and part.numel()]
    dim = call.argument(1, "dim", 0) % rank
    results = []
    for row in aligned([run.planes(part) for part in parts]):
        axes = {axis for plane in row if plane is not None for axis in varied(plane)}
        is_cat = call.func.overloadpacket is aten.cat
        if is_cat:
            axes.add(dim)
        labels = [
            full(plane, [size if axis in axes else 1 for axis, size in enumerate(part.shape)])
            for plane, part in zip(row, parts, strict=True)
        ]
        joined = torch.cat(labels, dim) if is_cat else torch.stack(labels, dim)
        if (small := compact(joined)) is not None:
            results.append(small)
    return results


def _note_picks(run: Carrier, call: Call) -> None:
    """One index or every n-th, by number: which one that is changes when others go."""
    packet, x = call.func.overloadpacket, call.tensor(0)
    if packet not in (aten.select, aten.unbind, aten.slice):
        return
    axis = call.argument(1, "dim", 0) % x.dim()
    if packet is aten.slice and call.argument(4, "step", 1) == 1:
        return
    run.picked += [(plane, axis) for plane in run.planes(x) if plane.shape[axis] > 1]


def _by_number(run: Carrier, call: Call, axes: set[int]) -> list[Tensor]:
    """Labels move; those along the axes whose indices are named stay in the network."""
    x = call.tensor(0)
    results = []
    for plane in run.planes(x):
        if varied(plane) & axes:
            run.labels.freeze(plane, PICKED)
        moved = compact(on_labels(call, full(plane, x.shape))[0])
        results += [moved] if moved is not None else []
    return run.join(results, call.out.dim())


def _index(run: Carrier, call: Call) -> list[Tensor]:
    axes, axis = set(), 0
    for index in call.args[1]:
        span = index.dim() if index is not None and index.dtype in (torch.bool, torch.uint8) else 1
        axes |= set(range(axis, axis + span)) if index is not None else set()
        axis += span
    return _by_number(run, call, axes)


def _select_along(run: Carrier, call: Call) -> list[Tensor]:
    return _by_number(run, call, {call.argument(1, "dim", 0) % max(1, call.tensor(0).dim())})


def _copy_into(run: Carrier, call: Call) -> list[Tensor]:
    return run.join(run.planes(call.tensor(1)), call.out.dim())


def _index_add(run: Carrier, call: Call) -> list[Tensor]:
    x, source = call.tensor(0), call.tensor(3)
    kept = run.mix(run.planes(source), {call.args[1] % x.dim()}, "they are scattered")
    return run.join([*run.planes(x), *kept], call.out.dim())


def _fold(run: Carrier, call: Call) -> list[Tensor]:
    """Sliding windows put back into an image: (.., C x places in a window, windows)."""
    x, kernel = call.tensor(0), call.args[2]
    rank, size = x.dim(), int(kernel[0]) * int(kernel[1])
    results = []
    for plane in run.mix(run.planes(x), [rank - 1], "windows are put together"):
        if plane.shape[rank - 2] > 1:
            rows = plane.movedim(rank - 2, 0).reshape(-1, size)
            run.labels.unite(rows, rows[:, :1])
            plane = placed(rows[:, 0], rank - 2, rank)
        results.append(plane.unsqueeze(-1))
    return run.join(results, call.out.dim())


def _pad(run: Carrier, call: Call) -> list[Tensor]:
    """What is added has no labels; along axes without labels nothing changes."""
    rank = call.out.dim()
    results = []
    for plane in run.planes(call.tensor(0)):
        sizes = list(call.args[1])
        for position in range(len(sizes)):
            if plane.shape[rank - 1 - position // 2] == 1:
                sizes[position] = 0
        results.append(torch.constant_pad_nd(plane, sizes))
    return run.join(results, rank)


def _shuffle(run: Carrier, call: Call) -> list[Tensor]:
    """nn.ChannelShuffle: a reshape, a transpose and a reshape."""
    x, groups = call.tensor(0), int(call.args[1])
    for plane in run.planes(x):
        if plane.shape[1] > 1:
            run.splits.append(plane.movedim(1, 0).reshape(groups, -1))
    moved = [compact(on_labels(call, full(p, x.shape))[0]) for p in run.planes(x)]
    return run.join([plane for plane in moved if plane is not None], call.out.dim())


def _as_complex(run: Carrier, call: Call) -> list[Tensor]:
    x = call.tensor(0)
    mixed = run.mix(run.planes(x), [x.dim() - 1], "two are one complex number")
    return [plane.squeeze(-1) for plane in mixed]


def _as_real(run: Carrier, call: Call) -> list[Tensor]:
    return [plane.unsqueeze(-1) for plane in run.planes(call.tensor(0))]


def _where(run: Carrier, call: Call) -> list[Tensor]:
    return run.join(run.meet(call.inputs[1:], call.out.dim()), call.out.dim())


def _transposed_in_place(run: Carrier, call: Call) -> list[Tensor]:
    axes = call.args[1:3] or (0, 1)
    return [plane.transpose(*axes) for plane in run.planes(call.tensor(0))]


def _expanded(run: Carrier, call: Call) -> list[Tensor]:
    return [of_rank(plane, call.out.dim()) for plane in run.planes(call.tensor(0))]


def stays_outside(run: Carrier, call: Call, planes: list[Tensor]) -> None:
    """Labels that are written into a part of a tensor without labels are lost with the view."""
    target = call.tensor(0)
    is_part = target.untyped_storage().nbytes() > target.numel() * target.element_size()
    if is_part and planes and not run.planes(target):
        run.freeze(planes, "they are written into a part of a tensor")


MOVEMENT: dict[object, Rule] = {
    aten.index: _index,
    aten.expand: _expanded,
    **dict.fromkeys(
        (aten.index_select, aten.gather, aten.take_along_dim, aten.repeat_interleave),
        _select_along,
    ),
    aten.copy_: _copy_into,
    **dict.fromkeys((aten.index_add, aten.index_add_), _index_add),
    aten.constant_pad_nd: _pad,
    aten.col2im: _fold,
    aten.native_channel_shuffle: _shuffle,
    aten.channel_shuffle: _shuffle,
    aten.view_as_complex: _as_complex,
    aten.view_as_real: _as_real,
    aten.where: _where,
    **dict.fromkeys((aten.transpose_, aten.t_), _transposed_in_place),
}
MOVES = {
    *_VIEWS,
    *_JOINED,
    *(aten.roll, aten.flip, aten.repeat, aten.im2col, aten.rot90),
    *(aten.pixel_shuffle, aten.pixel_unshuffle, aten.tril, aten.triu, aten.unfold),
    *(aten.split_with_sizes_copy, aten.view_copy, aten.permute_copy),
    *(aten.unsafe_split, aten.unsafe_split_with_sizes, aten.unsafe_chunk),
}
