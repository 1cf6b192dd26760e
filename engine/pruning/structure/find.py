"""The structure of any network: found by running it, offered as far as it was checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from torch import nn

from engine.contracts.errors import EngineError
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup
from engine.measures.output import Ended, has_matrix, output_module
from engine.pruning.structure.blocks import find_blocks, may_be_block
from engine.pruning.structure.checks import Checks
from engine.pruning.structure.labels import find_groups
from engine.pruning.structure.probing import Removals, Step
from engine.pruning.structure.recording import (
    Example,
    Recording,
    record,
    undisturbed,
)
from engine.pruning.structure.smaller import smaller
from engine.pruning.structure.trying import check_gives_the_same, first_run
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Inputs


def find_structure(
    model: nn.Module, example: Inputs | Example, monitor: Monitor = SILENT
) -> NetworkStructure:
    """What can be removed from a network that runs on these inputs (of a few items).

    The network is left as it was. Raises EngineError where it does not run on them, gives something
    else every time, or has nothing that can be removed; Cancelled.
    """
    if not isinstance(example, Example):
        example = Example(example)
    with undisturbed(model):
        first = first_run(model, example)
        small = smaller(model, example)
        recording = record(model, small.only(1), may_be_block)
        alone = recording.result if small is example else example.only(1)(model)
        check_gives_the_same(model, example, first, alone)
        found = _found(model, recording, small, example, monitor)
    if not found.groups and all(block.stays for block in found.blocks):
        raise EngineError(_nothing_removable(model, found.frozen))
    return found


def _found(
    model: nn.Module, recording: Recording, small: Example, full: Example, monitor: Monitor
) -> NetworkStructure:
    """What `small` images tell (`recording`: the first of them), where it holds for a `full` one
    too; else what the full ones do."""
    one, two = small.only(1), small.only(2)  # labels tell what goes from item to item
    removals = Removals(model, one, recording.result)
    blocks = find_blocks(model, recording, removals, _phase(monitor, "looking for blocks"))
    monitor.step("following filters, neurons and heads", 0, 1)
    labelled = find_groups(model, two, _phase(monitor, "trying what shrinks with them"))
    groups = _in_order([_placed(group, blocks.blocks) for group in labelled.groups], recording)
    checks = Checks(model, one, recording)
    checked = checks.of(groups, _phase(monitor, "checking each"))
    monitor.step("checking all together", 0, 1)
    if small is not full and checks.why_not_together(checked.groups, [full.only(1)]):
        recording = record(model, full.only(1), may_be_block)  # larger images go other ways
        return _found(model, recording, full, full, monitor)
    failing = checks.failing_together(checked.groups, [two])
    monitor.step("checking all together", 1, 1)
    kept = tuple(group for group in checked.groups if group.path not in failing)
    return NetworkStructure(
        blocks=tuple(_counted(block, model, kept) for block in blocks.blocks),
        groups=kept,
        frozen={**blocks.frozen, **labelled.frozen, **checked.frozen, **failing},
        output_module=_output_module(model, recording),
        stage_sizes=Counter(block.stage for block in blocks.blocks),
    )


def _output_module(model: nn.Module, recording: Recording) -> str:
    """Empty for networks whose weights are in no module of their own."""
    calls = [
        Ended(path, call.began, call.order, call.result)
        for path, of_module in recording.calls.items()
        if has_matrix(model.get_submodule(path))
        for call in of_module
    ]
    return output_module(calls, recording.result) or ""


def _phase(monitor: Monitor, name: str) -> Step:
    return lambda done, total: monitor.step(name, done, total)


# ------------------------------------------------------------ blocks and groups


def _placed(group: UnitGroup, blocks: Iterable[Block]) -> UnitGroup:
    """A group with the block that holds it, or as one of a stream that several take part in."""
    paths = [block.path for block in blocks]
    homes = {_home(member.tensor, paths) for member in group.members}
    if len(homes) > 1:
        return replace(group, block=None, crosses_blocks=True)
    return replace(group, block=homes.pop(), crosses_blocks=False)


def _home(tensor: str, paths: Iterable[str]) -> str | None:
    return next((path for path in paths if tensor.startswith(f"{path}.")), None)


def _in_order(groups: Sequence[UnitGroup], recording: Recording) -> list[UnitGroup]:
    """In the order of the forward pass; what no module of its own makes keeps its place."""
    order = {path: calls[0].order for path, calls in recording.calls.items()}

    def when(group: UnitGroup) -> int:
        path = group.path
        while path and path not in order:
            path = path.rpartition(".")[0]
        return order.get(path, 0)

    return sorted(groups, key=when)


def _counted(block: Block, model: nn.Module, groups: Sequence[UnitGroup]) -> Block:
    """A block with how many filters, neurons and heads are in it, and in each of its parts."""
    inside = [group for group in groups if group.block == block.path]
    own_filters = {
        member.tensor for group in inside for member in group.members if member.axis == 0
    }
    stream = (
        module.out_channels
        for name, module in model.get_submodule(block.path).named_modules()
        if isinstance(module, nn.modules.conv._ConvNd)
        and f"{block.path}.{name}.weight".replace("..", ".") not in own_filters
    )
    parts = tuple(
        replace(part, num_units=sum(g.num_units for g in inside if _is_within(g, part)))
        for part in block.parts
    )
    num_units = sum(group.num_units for group in inside) + sum(stream)
    return replace(block, num_units=num_units, parts=parts)


def _is_within(group: UnitGroup, part: Part) -> bool:
    return all(member.tensor.startswith(f"{part.path}.") for member in group.members)


def _nothing_removable(model: nn.Module, frozen: Mapping[str, str]) -> str:
    reasons = [f"{path}: {why}" for path, why in list(frozen.items())[:3]]
    more = f" and {len(frozen) - 3} more" if len(frozen) > 3 else ""
    told = f" ({'; '.join(reasons)}{more})" if reasons else ""
    return (
        f"nothing can be removed from this {type(model).__name__}{told}; docs/networks.md says "
        "what makes a block or a filter removable"
    )
