"""The groups of units of any network, found in one ordinary forward pass."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from engine.contracts.structure import UnitGroup
from engine.pruning.structure.labels.carrier import Carrier, Running
from engine.pruning.structure.labels.grouping import groups_of
from engine.pruning.structure.labels.homes import Calls, Run
from engine.pruning.structure.labels.planes import Info, placed
from engine.pruning.structure.labels.run import LabelRun
from engine.pruning.structure.labels.size_log import SizeLog
from engine.pruning.structure.labels.size_rules import size_rules
from engine.pruning.structure.labels.trial import Trials
from engine.pruning.structure.labels.union import Labels
from engine.pruning.structure.labels.untouched import plain_operations, untouched
from engine.pruning.structure.probing import Step

OUTPUT = "the network's output"


@dataclass(frozen=True)
class FoundGroups:
    """What a network's units are. `frozen` tells of the others why they stay."""

    groups: tuple[UnitGroup, ...]
    frozen: Mapping[str, str]


def find_groups(model: nn.Module, run: Run, step: Step = lambda done, of: None) -> FoundGroups:
    """The groups of a network; `run` calls it on an example batch of 2 or 3.

    The network is left as it was. What `run` raises is raised; whether a group can be pruned is
    tried where its forward pass names numbers, and is for a check to confirm.
    """
    carrier, log, calls = _follow(model, run)
    found = groups_of(carrier, model)
    rules = size_rules(log.found, carrier.labels, found.roots, carrier.batch)
    groups, frozen = [], dict(found.frozen)
    proposed = [replace(g, sizes=sizes) for g, sizes in zip(found.groups, rules, strict=True)]
    with untouched(model), plain_operations(model):
        settled = Trials(model, run, calls).settle(proposed)
        for number, (group, result) in enumerate(zip(proposed, settled, strict=True), 1):
            step(number, len(proposed))
            if isinstance(result, UnitGroup):
                groups.append(result)
            else:
                frozen[group.path] = result
    return FoundGroups(tuple(groups), frozen)


def _follow(model: nn.Module, run: Run) -> tuple[Carrier, SizeLog, Calls]:
    """The run itself: all that it tells."""
    tensors: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point():
            tensors.setdefault(id(tensor), (name, tensor))
    sizes = [
        ((name, axis), size)
        for name, tensor in tensors.values()
        for axis, size in enumerate(tensor.shape)
        if size > 1
    ]
    labels = Labels(sizes)
    carrier = Carrier(labels)
    log, calls = SizeLog(carrier), Calls()
    lines = {axis: labels.parents[start : start + size] for axis, start, size in labels.ranges}
    for name, tensor in tensors.values():
        rank = tensor.dim()
        planes = [
            placed(lines[name, axis].clone(), axis, rank)
            for axis in range(rank)
            if (name, axis) in lines
        ]
        carrier.tell(tensor, Info(planes, is_parameter=True))
    _unite_states(model, labels, lines)
    with untouched(model), plain_operations(model), ExitStack() as stack:
        _watch(model, carrier, calls, stack)
        with log, LabelRun(carrier):
            out = run(model)
    _freeze_outputs(out, carrier)
    carrier.settle()
    return carrier, log, calls


def _unite_states(
    model: nn.Module, labels: Labels, lines: Mapping[tuple[str, int], Tensor]
) -> None:
    """The layers and directions of one recurrent module have states of one size."""
    for path, module in model.named_modules():
        if not isinstance(module, nn.RNNBase):
            continue
        for read in ("weight_hh", "weight_hr"):  # the latter where states are projected
            named = (
                f"{path}.{name}".removeprefix(".")
                for name, _ in module.named_parameters(recurse=False)
                if name.startswith(read)
            )
            states = [lines[name, 1] for name in named if (name, 1) in lines]
            for other in states[1:]:
                labels.unite(other, states[0])


def _watch(model: nn.Module, carrier: Carrier, calls: Calls, stack: ExitStack) -> None:
    """Keeps which modules are running and have run, and marks the network's inputs and outputs."""

    def enter(path: str) -> None:
        carrier.stack.append(Running(path))

    def leave(path: str, out: object) -> None:
        carrier.stack.pop()
        calls.end(path, out)

    for path, module in model.named_modules():
        entered = module.register_forward_pre_hook(lambda m, args, path=path: enter(path))
        left = module.register_forward_hook(
            lambda m, args, out, path=path: leave(path, out), always_call=True
        )
        stack.callback(entered.remove)
        stack.callback(left.remove)

    def begin(module: nn.Module, args: object, kwargs: object) -> None:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                carrier.batch = carrier.batch or (leaf.shape[0] if leaf.dim() else 0)
                carrier.tell(leaf, Info(is_dynamic=True))

    stack.callback(model.register_forward_pre_hook(begin, with_kwargs=True).remove)
    stack.callback(
        model.register_forward_hook(lambda m, args, out: _freeze_outputs(out, carrier)).remove
    )


def _freeze_outputs(value: object, carrier: Carrier, depth: int = 0) -> None:
    """Labels in what the network gives stay, in whatever it is given."""
    if isinstance(value, Tensor):
        carrier.release(carrier.info(value).held)
        carrier.freeze(carrier.planes(value), OUTPUT)
    elif depth < 8 and not isinstance(value, nn.Module):
        inside = (
            list(value.values())
            if isinstance(value, Mapping)
            else list(value)
            if isinstance(value, list | tuple | set)
            else list(getattr(value, "__dict__", {}).values())
        )
        for each in inside:
            _freeze_outputs(each, carrier, depth + 1)
