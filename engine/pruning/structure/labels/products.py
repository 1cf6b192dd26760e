"""Products with weights: where labels end (a weight's input axis) and begin (its output axis)."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.carrier import NOT_MADE, Carrier, Rule
from engine.pruning.structure.labels.planes import Info, along, placed, varied

aten = torch.ops.aten


def _product(run: Carrier, x: Tensor, w: Tensor, rank: int) -> list[Tensor]:
    """Planes of x (..., M, K) times w (..., K, N), either of which may be the weight."""
    xi, wi = run.info(x), run.info(w)
    if not xi.planes and wi.is_parameter and not bool(x.any()):
        return _of_nothing(run, w, wi, rank)
    x_axis, w_axis = x.dim() - 1, w.dim() - 2
    x_summed, x_rest = _parted(xi, x_axis)
    w_summed, w_rest = _parted(wi, w_axis)
    if not wi.is_dynamic and (xi.is_dynamic or wi.is_parameter or not xi.is_parameter):
        run.consume(w_summed, w_axis, x_summed, x_axis)
        run.produce(w_rest, "linear")
    elif not xi.is_dynamic:
        run.consume(x_summed, x_axis, w_summed, w_axis)
        run.produce(x_rest, "linear")
    else:
        x_rest = x_rest + _summed(run, x_summed, x_axis)
        w_rest = w_rest + _summed(run, w_summed, w_axis)
        for one in x_summed:  # (.., M, K) and (.., K, N): the first of M and N will do
            for other in w_summed:
                run.labels.unite(one.narrow(-2, 0, 1), other.mT.narrow(-2, 0, 1))
    return run.join(x_rest + w_rest, rank)


def _of_nothing(run: Carrier, w: Tensor, known: Info, rank: int) -> list[Tensor]:
    """Zeros times a weight, as recurrent layers begin: its columns read nothing yet."""
    made = _parted(known, w.dim() - 2)[1]
    run.produce(made, "linear")
    return run.join(made, rank)


def _parted(info: Info, axis: int) -> tuple[list[Tensor], list[Tensor]]:
    """Planes along the axis that is summed over, and the others."""
    summed = [plane for plane in info.planes if plane.shape[axis] > 1]
    return summed, [plane for plane in info.planes if plane.shape[axis] == 1]


def _summed(run: Carrier, planes: list[Tensor], axis: int) -> list[Tensor]:
    """Attention scores and the like: labelled channels are summed over, so they are one."""
    run.attention += planes
    return run.mix(planes, [axis], "they are summed over in a product of values")


def _mm(run: Carrier, call: Call) -> list[Tensor]:
    return _product(run, call.tensor(0), call.tensor(1), call.out.dim())


def _addmm(run: Carrier, call: Call) -> list[Tensor]:
    rank = call.out.dim()
    product = _product(run, call.tensor(1), call.tensor(2), rank)
    return run.join([*product, *run.planes(call.tensor(0))], rank)


def _linear(run: Carrier, call: Call) -> list[Tensor]:
    x, w = call.tensor(0), call.tensor(1)
    known = run.info(w)
    transposed = w.t()
    planes = [plane.t() for plane in known.planes]
    run.tell(transposed, Info(planes, known.is_parameter, known.is_dynamic))
    product = _product(run, x, transposed, call.out.dim())
    return run.join([*product, *run.planes(*call.tensors(2))], call.out.dim())


def _grouped_mm(run: Carrier, call: Call) -> list[Tensor]:
    """Rows (T, K) by the weight (K, N) of their expert, out of (E, K, N)."""
    x, w = call.tensor(0), call.tensor(1)
    known = run.info(w)
    experts = [plane for plane in known.planes if w.dim() == 3 and plane.shape[0] > 1]
    run.freeze(experts, "which expert is asked depends on the data")
    planes = [p[0] if w.dim() == 3 else p for p in known.planes if not any(p is e for e in experts)]
    weight = w[0] if w.dim() == 3 else w
    run.tell(weight, Info(planes, known.is_parameter, known.is_dynamic))
    return _product(run, x, weight, call.out.dim())


def _embedding(run: Carrier, call: Call) -> list[Tensor]:
    weight, ids = call.tensor(0), call.tensor(1)
    rows, columns = _parted(run.info(weight), 1)[::-1]
    run.freeze(rows, "rows of a table are picked by number")
    run.produce(columns, "table")
    return run.join([placed(plane, ids.dim(), ids.dim() + 1) for plane in columns], call.out.dim())


def _convolution(run: Carrier, call: Call) -> list[Tensor]:
    x, weight = call.tensor(0), call.tensor(1)
    is_transposed, groups = bool(call.args[6]), int(call.args[8])
    in_axis, out_axis = (0, 1) if is_transposed else (1, 0)
    met = run.mix(run.planes(x), range(2, x.dim()), "a convolution runs over them")
    channels = [plane for plane in met if plane.shape[1] > 1]
    ins = [plane for plane in run.planes(weight) if varied(plane) == {in_axis}]
    outs = [plane for plane in run.planes(weight) if varied(plane) == {out_axis}]
    if groups == 1:
        run.consume(ins, in_axis, channels, 1)
    elif is_transposed:
        run.freeze([*channels, *ins, *outs], "a transposed convolution in groups")
    else:
        run.freeze(ins, "it lies inside a convolution in groups")
        for produced in outs:
            _by_groups(run, produced, channels, groups)
    if groups == 1 or not channels:
        run.produce(outs, "conv")
    rank = call.out.dim()
    made = [placed(plane, 1, rank) for plane in (*outs, *run.planes(*call.tensors(2)))]
    return run.join([*made, *(plane for plane in met if plane.shape[1] == 1)], rank)


def _by_groups(run: Carrier, produced: Tensor, channels: list[Tensor], groups: int) -> None:
    """Whole groups go: the channels that one reads with the filters that it makes."""
    rows = produced.reshape(groups, -1)
    run.labels.unite(rows, rows[:, :1])
    if not channels:
        run.labels.freeze(produced, NOT_MADE)
    for met in channels:
        per_group = along(met, 1).reshape(groups, -1)
        run.labels.unite(per_group, rows[:, :1])
        run.labels.freeze(rows[(per_group == 0).any(1)], NOT_MADE)


PRODUCTS: dict[object, Rule] = {
    aten.mm: _mm,
    aten.bmm: _mm,
    aten.addmm: _addmm,
    aten.baddbmm: _addmm,
    aten.linear: _linear,
    aten._grouped_mm: _grouped_mm,
    aten.embedding: _embedding,
    aten.convolution: _convolution,
    aten._convolution: _convolution,
}
