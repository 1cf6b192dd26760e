"""Norms, softmax and whatever else looks along an axis and keeps the shape."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.carrier import NOT_MADE, Carrier, Rule
from engine.pruning.structure.labels.planes import Info, placed

aten = torch.ops.aten


def _batch_norm(run: Carrier, call: Call) -> list[Tensor]:
    rank = call.out.dim()
    own = [placed(plane, 1, rank) for plane in run.planes(*call.tensors(1, 2, 3, 4))]
    planes = run.planes(call.tensor(0))
    if any(argument is True for argument in call.args[:6]):  # statistics of what comes in
        others = [axis for axis in range(rank) if axis != 1]
        planes = run.mix(planes, others, "a norm runs over them", keep=True)
    return run.join([*planes, *own], rank)


def _layer_norm(run: Carrier, call: Call) -> list[Tensor]:
    x = call.tensor(0)
    rank = x.dim()
    over = range(rank - len(call.args[1]), rank)
    mixed = run.mix(run.planes(x), over, "a norm runs over them", keep=True)
    values = torch.empty(0)  # stands for the normalised values, which are not at hand
    run.tell(values, Info(mixed, is_dynamic=run.info(x).is_dynamic))
    places = (2, 3) if call.func.overloadpacket is aten.native_layer_norm else (2,)
    return run.join(run.meet([values, *call.tensors(*places)], rank), rank)


def _group_norm(run: Carrier, call: Call) -> list[Tensor]:
    x, groups = call.tensor(0), int(call.args[6])
    rank = x.dim()
    own = [placed(plane, 1, rank) for plane in run.planes(*call.tensors(1, 2))]
    for plane in run.planes(x):
        if any(plane.shape[axis] > 1 for axis in range(2, rank)):
            run.labels.freeze(plane, "a norm runs over them")
        elif plane.shape[1] > 1 and groups < x.shape[1]:  # whole groups of the norm go
            rows = plane.movedim(1, 0).reshape(groups, -1)
            run.labels.unite(rows, rows[:, :1])
            run.labels.note(rows, "a norm runs over them")
            run.labels.freeze(rows[(rows == 0).any(1)], NOT_MADE)
    return run.join([*run.planes(x), *own], rank)


def _weight_norm(run: Carrier, call: Call) -> list[Tensor]:
    direction, length = call.tensor(0), call.tensor(1)
    rank = direction.dim()
    others = set(range(rank)) - {call.argument(2, "dim", 0) % rank}
    mixed = run.mix(run.planes(direction), others, "a weight's norm runs over them", keep=True)
    return run.join([*mixed, *run.planes(length)], rank)


def _looking(name: str, place: int = 1) -> Rule:
    """Operations that mix along one axis."""

    def rule(run: Carrier, call: Call) -> list[Tensor]:
        x = call.tensor(0)
        dim = call.argument(place, "dim", -1)
        axis = (dim if isinstance(dim, int) else -1) % max(1, x.dim())
        keeps = call.out.shape == x.shape
        return run.mix(run.planes(x), {axis}, f"{name} runs over them", keep=keeps)

    return rule


def _fourier(run: Carrier, call: Call) -> list[Tensor]:
    x = call.tensor(0)
    axes = {dim % x.dim() for dim in call.args[1]}
    return run.mix(run.planes(x), axes, "a Fourier transform runs over them")


_SOFTMAX = _looking("a softmax")
NORMS: dict[object, Rule] = {
    **dict.fromkeys(
        (
            aten.native_batch_norm,
            aten._native_batch_norm_legit,
            aten._native_batch_norm_legit_no_training,
            aten._batch_norm_no_update,
            aten._batch_norm_with_update,
            aten.cudnn_batch_norm,
        ),
        _batch_norm,
    ),
    aten.native_layer_norm: _layer_norm,
    aten._fused_rms_norm: _layer_norm,
    aten.native_group_norm: _group_norm,
    aten._weight_norm_interface: _weight_norm,
    **dict.fromkeys((aten._softmax, aten._safe_softmax, aten._log_softmax), _SOFTMAX),
    aten.cumsum: _looking("a running sum"),
    aten.cumprod: _looking("a running product"),
    aten.sort: _looking("a sort"),
    aten.topk: _looking("a choice of the largest", 2),
    **dict.fromkeys((aten._fft_r2c, aten._fft_c2r, aten._fft_c2c), _fourier),
}
