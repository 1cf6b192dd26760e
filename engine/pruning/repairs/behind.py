"""The layers behind what an edit removes: those whose inputs it changes directly.

Of units, the dense layers and convolutions that have lost columns. Of a block, the first layer that
runs after it, and all that get the very same values (queries, keys and values behind a norm).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.contracts.edits import LAYER, Edit
from engine.measures.folding import foldable_pairs
from engine.tasks import Inputs
from engine.tasks.batch import mapped, run_on

MATRICES: tuple[type[nn.Module], ...] = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS: tuple[type[nn.Module], ...] = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm, nn.GroupNorm,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Behind:
    """A layer of the child, called once. `norm` is the batch norm that takes what it gives and that
    nobody else has; `gone` are the columns of the parent's weight that it has lost, `kept_K` the
    parent's channels that it still gives."""

    path: str
    layer: nn.Module
    norm: nn.BatchNorm2d | None
    gone: tuple[int, ...]
    kept_K: Tensor

    @property
    def can_shift(self) -> bool:
        """Whether a constant can be added to what it gives."""
        return getattr(self.layer, "bias", None) is not None or self.norm is not None

    @torch.no_grad()
    def shift(self, by_K: Tensor) -> None:
        """Adds a constant to what it gives, as a network in evaluation sees it.

        The mean of a batch norm takes it, not its shift: while it trains, a batch norm takes out
        whatever is constant anyway.
        """
        bias = getattr(self.layer, "bias", None)
        if bias is not None:
            bias.add_(by_K.to(bias.dtype))
        elif self.norm is not None and self.norm.running_mean is not None:
            self.norm.running_mean.sub_(by_K.to(self.norm.running_mean.dtype))


def layers_behind(
    edit: Edit,
    child: nn.Module,
    parent: nn.Module,
    example: Inputs,
    kinds: Sequence[type[nn.Module]] = MATRICES,
) -> list[Behind]:
    """The layers of these kinds behind an explicit edit, in the order in which they run. Both
    networks are run once."""
    seen = _run(parent, example)
    slices = {(each.tensor, each.axis): each.indices for each in edit.slices}
    if edit.structure == LAYER:
        gone = [removal.path for removal in edit.removals]
        wanted = {path for block in gone for path in _first_after(block, gone, seen, kinds)}
    else:
        wanted = {name.removesuffix(".weight") for name, axis in slices if axis == 1}
    norms = {id(conv): norm for conv, norm in foldable_pairs(child, example)}
    found = []
    for path in seen.order:
        layer = seen.layers[path]
        if path not in wanted or seen.calls[path] != 1 or not is_plain(layer, kinds):
            continue
        here = child.get_submodule(path)
        without = set(slices.get((f"{path}.weight", 0), ()))
        kept = [k for k in range(len(layer.get_parameter("weight"))) if k not in without]
        found.append(
            Behind(path, here, norms.get(id(here)), slices.get((f"{path}.weight", 1), ()),
                   torch.tensor(kept, device=layer.get_parameter("weight").device))
        )  # fmt: skip
    return found


def is_plain(layer: nn.Module, kinds: Sequence[type[nn.Module]]) -> bool:
    """Whether a layer computes as those of torch do (one with a standardised weight does not) and
    has a weight, of norms one number a channel."""
    weight = getattr(layer, "weight", None)
    if weight is None or (isinstance(layer, NORMS) and weight.dim() != 1):
        return False
    return any(isinstance(layer, kind) and type(layer).forward is kind.forward for kind in kinds)


@dataclass
class _Seen:
    """A forward pass: layers in the order in which they were first called, what each got, and after
    which of them modules ended."""

    layers: dict[str, nn.Module]
    order: list[str] = field(default_factory=list)
    inputs: dict[str, Tensor] = field(default_factory=dict)  # kept: ids stay theirs
    calls: Counter[str] = field(default_factory=Counter)
    ended: dict[str, int] = field(default_factory=dict)


@torch.no_grad()
def _run(model: nn.Module, example: Inputs) -> _Seen:
    modules = dict(model.named_modules())
    kinds = (*MATRICES, *NORMS)
    seen = _Seen({path: m for path, m in modules.items() if isinstance(m, kinds)})

    def begin(path: str) -> Any:
        def see(module: nn.Module, args: tuple[Any, ...]) -> None:
            seen.calls[path] += 1
            if seen.calls[path] == 1 and args:
                seen.order.append(path)
                seen.inputs[path] = args[0]

        return see

    def end(path: str) -> Any:
        return lambda *_: seen.ended.__setitem__(path, len(seen.order))

    handles = [module.register_forward_pre_hook(begin(p)) for p, module in seen.layers.items()]
    handles += [module.register_forward_hook(end(path)) for path, module in modules.items()]
    try:
        run_on(model, mapped(example, Tensor.clone))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _first_after(
    block: str, gone: Sequence[str], seen: _Seen, kinds: Sequence[type[nn.Module]]
) -> Iterator[str]:
    after = [
        path
        for path in seen.order[seen.ended.get(block, len(seen.order)) :]
        if is_plain(seen.layers[path], kinds) and not any(_is_in(path, each) for each in gone)
    ]
    if after:
        same = seen.inputs[after[0]]
        yield from (path for path in after if seen.inputs[path] is same)


def _is_in(path: str, block: str) -> bool:
    return path == block or path.startswith(f"{block}.")
