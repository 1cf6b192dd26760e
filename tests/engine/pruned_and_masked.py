"""Whether units can be removed: a network without them does what one does in which nothing reads
them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure, UnitGroup
from engine.models.cifar_resnet import CifarResNet
from engine.pruning.explicit import explicit
from engine.pruning.surgery import carry_out

Run = Callable[[nn.Module], object]


@dataclass(frozen=True)
class Compared:
    """Differences, as parts of the output's largest value."""

    error: float  # of pruned and masked
    effect: float  # of masked and whole

    @property
    def holds(self) -> bool:  # in double precision
        return self.error <= 1e-5 and self.error <= max(1e-2 * self.effect, 1e-12)


def compared(
    groups: Sequence[UnitGroup], units: Sequence[tuple[int, ...]], model: nn.Module, run: Run
) -> Compared:
    """Some units of some groups, removed together and masked together."""
    assert not isinstance(model, CifarResNet)
    named = tuple((g.path, u) for g, u in zip(groups, units, strict=True))
    edit = explicit(Edit("unit", units=named), NetworkStructure(groups=tuple(groups)))
    with torch.no_grad():
        whole = outputs(run(model))
        pruned = outputs(run(carry_out(edit, model)))
        without = copy.deepcopy(model)
        for group, gone in zip(groups, units, strict=True):
            mask(group, gone, without)
        wanted = outputs(run(without))
    assert [a.shape for a in pruned] == [b.shape for b in wanted]
    scale = max(float(b.abs().max()) for b in wanted) + 1e-12
    pairs = list(zip(pruned, wanted, whole, strict=True))
    return Compared(
        max(float((a - b).abs().max()) for a, b, _ in pairs) / scale,
        max(float((c - b).abs().max()) for _, b, c in pairs) / scale,
    )


def outputs(value: object) -> list[Tensor]:
    return [t for t in tree_leaves(value) if isinstance(t, Tensor) and t.is_floating_point()]


def mask(group: UnitGroup, units: Sequence[int], model: nn.Module) -> None:
    """What reads the group's values gets zeros for these units, from now on."""
    for consumer in group.consumers:
        own = [m for m in group.members if (m.tensor, m.axis) == (consumer.tensor, consumer.axis)]
        gone = torch.tensor(sorted(i for m in own for i in m.indices(units)))
        if not consumer.maskable:
            with torch.no_grad():
                model.get_parameter(consumer.tensor).index_fill_(consumer.axis, gone, 0)
            continue
        module = model.get_submodule(consumer.module)
        is_convolution = isinstance(module, nn.modules.conv._ConvNd)
        last = 1 + len(module.kernel_size) if is_convolution else 1

        def zero(_: nn.Module, args: tuple[Tensor, ...], gone=gone, last=last) -> tuple:
            return args[0].index_fill(args[0].dim() - last, gone, 0), *args[1:]

        module.register_forward_pre_hook(zero)


def randomise(model: nn.Module, seed: int = 1, statistics: bool = True) -> nn.Module:
    """Values as of a trained network: nothing at an initial 0 or 1 that would hide an error.
    `statistics`: those of batch norms, too."""
    chance = torch.Generator().manual_seed(seed)

    def noise(tensor: Tensor) -> Tensor:
        return torch.randn(tensor.shape, generator=chance)

    with torch.no_grad():
        for module in model.modules() if statistics else ():
            if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
                module.running_mean.copy_(noise(module.running_mean) * 0.2)
                module.running_var.copy_(
                    torch.rand(module.running_var.shape, generator=chance) + 0.5
                )
        for parameter in model.parameters():
            largest = float(parameter.abs().max())
            if parameter.squeeze().dim() <= 1:
                parameter.add_(noise(parameter) * 0.1 + (0.3 if largest < 1e-2 else 0))
            elif largest < 1e-3:
                parameter.copy_(noise(parameter) * 0.05)
    return model.eval()
