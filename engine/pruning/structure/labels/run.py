"""Labels carried through the operations of one forward pass, whatever operations those are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves

from engine.pruning.structure.labels.call import Call
from engine.pruning.structure.labels.carrier import Carrier, Rule
from engine.pruning.structure.labels.movement import MOVEMENT, MOVES, move, stays_outside
from engine.pruning.structure.labels.norms import NORMS
from engine.pruning.structure.labels.planes import Info
from engine.pruning.structure.labels.pooling import POOLING
from engine.pruning.structure.labels.products import PRODUCTS
from engine.runtime.dispatch import OperationMode

aten = torch.ops.aten
_RULES: dict[object, Rule] = {**PRODUCTS, **NORMS, **POOLING, **MOVEMENT}
_COPIES = {aten.clone, aten._to_copy, aten.lift_fresh, aten.detach, aten.alias}
_POINTWISE = {  # those that torch does not say it of
    *(aten.hardswish, aten.hardswish_, aten.hardsigmoid_, aten.mish_, aten.silu_, aten.elu_),
    *(aten.leaky_relu_, aten.hardtanh_, aten.prelu, aten._prelu_kernel, aten.masked_fill),
    *(aten.masked_fill_, aten.pow, aten.relu6, aten.rrelu_with_noise_functional, aten.softplus),
    *(aten.log_sigmoid_forward, aten.lerp, aten.native_dropout, aten.complex, aten.polar),
}
_WITHOUT_LABELS = {
    *(aten.zeros_like, aten.ones_like, aten.full_like, aten.empty_like, aten.rand_like),
    *(aten.randn_like, aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty),
    *(aten.new_empty_strided, aten.fill_, aten.zero_, aten.bernoulli_, aten.bernoulli),
    *(aten.is_nonzero, aten._local_scalar_dense, aten.equal, aten.bincount, aten.nonzero),
}


class LabelRun(OperationMode):
    """Does with labels what each operation does with values."""

    def __init__(self, carrier: Carrier) -> None:
        super().__init__()
        self.carrier = carrier
        self.unknown: set[str] = set()  # operations without a rule that labels came to

    def __torch_dispatch__(
        self,
        func: OpOverload,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket is aten.as_strided_ and _moves_nothing(*args[:3]):
            return func(*args, **kwargs)
        out = func(*args, **kwargs)
        call = Call(func, args, kwargs, _tensors((args, kwargs)), _tensors(out))
        infos = [self.carrier.info(tensor) for tensor in call.inputs]
        if any(info.planes or info.is_dynamic or info.held for info in infos):
            self._follow(call, infos)
        return out

    def _follow(self, call: Call, infos: list[Info]) -> None:
        packet = call.func.overloadpacket
        planes: list[list[Tensor]] = [[] for _ in call.outs]
        held = [each for info in infos for each in info.held]
        if held and any(out.numel() > 1 for out in call.outs):
            self.carrier.release(held)
            held = []
        if any(info.planes for info in infos) and packet not in _WITHOUT_LABELS:
            try:
                planes = self._planes(call, infos)
            except (RuntimeError, IndexError, ValueError, TypeError):  # that no rule foresaw
                planes = self._unforeseen(call)
        if call.outs and call.inputs and call.outs[0] is call.inputs[0]:
            stays_outside(self.carrier, call, planes[0])
        is_moved = packet in MOVES or call.func.is_view or packet in _COPIES
        is_parameter = is_moved and all(info.is_parameter for info in infos)
        is_dynamic = any(info.is_dynamic for info in infos)
        for tensor, its_planes in zip(call.outs, planes, strict=True):
            new = self.carrier.info(tensor).held if packet in POOLING else []
            self.carrier.tell(tensor, Info(its_planes, is_parameter, is_dynamic, held + new))

    def _planes(self, call: Call, infos: list[Info]) -> list[list[Tensor]]:
        packet = call.func.overloadpacket
        if (rule := _RULES.get(packet)) is not None:
            return [rule(self.carrier, call), *([] for _ in call.outs[1:])]
        if packet in _COPIES:
            return [infos[0].planes]
        if call.func.is_view or packet in MOVES:
            return move(self.carrier, call)
        if torch.Tag.pointwise in call.func.tags or packet in _POINTWISE:
            met = [self.carrier.meet(call.inputs, out.dim()) for out in call.outs]
            pairs = zip(met, call.outs, strict=True)
            return [self.carrier.join(planes, out.dim()) for planes, out in pairs]
        return self._unforeseen(call)

    def _unforeseen(self, call: Call) -> list[list[Tensor]]:
        name = str(call.func.overloadpacket).removeprefix("aten.")
        self.unknown.add(name)
        self.carrier.freeze(
            self.carrier.planes(*call.inputs), f"no rule says what {name} does with it"
        )
        return [[] for _ in call.outs]


def _moves_nothing(tensor: Tensor, size: Sequence[int], stride: Sequence[int]) -> bool:
    """Whether only strides along which there is a single element change, as where torch pools a
    map in channels-last memory to one value."""
    return tuple(tensor.shape) == tuple(size) and all(
        count == 1 or old == new
        for count, old, new in zip(size, tensor.stride(), stride, strict=True)
    )


def _tensors(value: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
