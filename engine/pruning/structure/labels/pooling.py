"""Pooling, resizing and reductions: channels stay, what is taken together becomes one."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.carrier import Carrier, Rule

aten = torch.ops.aten
_PLACES = "places are taken together"


def _pool(num_axes: int) -> Rule:
    """Pooling and resizing over the last axes."""

    def rule(run: Carrier, call: Call) -> list[Tensor]:
        rank = call.out.dim()
        return run.mix(run.planes(call.tensor(0)), range(rank - num_axes, rank), _PLACES)

    return rule


def _reduce(name: str, place: int = 1) -> Rule:
    def rule(run: Carrier, call: Call) -> list[Tensor]:
        x = call.tensor(0)
        said = call.argument(place, "dim")
        dims = [said] if type(said) is int else said if isinstance(said, list | tuple) else []
        axes = sorted({dim % max(1, x.dim()) for dim in dims}) or list(range(x.dim()))
        why = f"{name} runs over them"
        if call.out.numel() == 1:
            run.hold(call.out, run.planes(x), why)
            return []
        kept = run.mix(run.planes(x), axes, why)
        return kept if call.out.dim() == x.dim() else [plane.squeeze(axes) for plane in kept]

    return rule


def _glu(run: Carrier, call: Call) -> list[Tensor]:
    x = call.tensor(0)
    dim = call.argument(1, "dim", -1) % x.dim()
    halves: list[Tensor] = []
    for plane in run.planes(x):
        halves += plane.chunk(2, dim) if plane.shape[dim] > 1 else [plane]
    return run.join(halves, call.out.dim())


_POOLS = {
    1: (aten.upsample_nearest1d, aten.upsample_linear1d, aten.reflection_pad1d,
        aten.replication_pad1d),
    2: (aten.max_pool2d_with_indices, aten.avg_pool2d, aten._adaptive_avg_pool2d,
        aten.adaptive_avg_pool2d, aten.adaptive_max_pool2d, aten.upsample_nearest2d,
        aten._upsample_nearest_exact2d, aten.upsample_bilinear2d, aten.upsample_bicubic2d,
        aten._upsample_bicubic2d_aa, aten._upsample_bilinear2d_aa, aten.reflection_pad2d,
        aten.replication_pad2d, aten.grid_sampler_2d),
    3: (aten.avg_pool3d, aten.max_pool3d_with_indices, aten._adaptive_avg_pool3d,
        aten.upsample_nearest3d, aten.upsample_trilinear3d),
}  # fmt: skip
_REDUCTIONS = {
    "a mean": (aten.mean,),
    "a sum": (aten.sum, aten.nansum),
    "a maximum": (aten.amax, aten.amin, aten.max, aten.min, aten.argmax, aten.argmin, aten.aminmax),
    "a variance": (aten.var, aten.std, aten.var_mean, aten.std_mean),
    "a product": (aten.prod,),
    "a test": (aten.any, aten.all),
    "a sum of exponentials": (aten.logsumexp,),
}
POOLING: dict[object, Rule] = {
    **{op: _pool(number) for number, ops in _POOLS.items() for op in ops},
    **{op: _reduce(name) for name, ops in _REDUCTIONS.items() for op in ops},
    aten.linalg_vector_norm: _reduce("a norm", 2),
    aten.norm: _reduce("a norm", 2),
    aten.glu: _glu,
}
