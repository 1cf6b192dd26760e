"""What can be removed from the networks of a run, for people to see: stages, and what stays why.

The structure is stored with the root and followed through the edits; of runs of older versions,
which stored none, it is that of a CIFAR ResNet with the root's arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.contracts.edits import Edit
from engine.contracts.keeping import kept
from engine.contracts.structure import Block, Member, NetworkStructure, UnitGroup
from engine.contracts.structure_after import structure_after
from explorer.session.documents import RunDocument
from explorer.views.root_network import ResNetArguments, root_network

_WHY_IT_STAYS = {"shape": "changes the shape", "first": "first of its stage"}


@dataclass(frozen=True)
class StageView:
    """What is left of one stage of a network: blocks, and the units inside of them. A part of a
    network that has no blocks is a stage of units alone."""

    name: str
    num_blocks: int
    root_blocks: int
    num_units: int
    root_units: int
    widths: tuple[int, ...] = ()  # of the first group of units of each block that is left
    unit: str = "filter"  # what the units are called


def structure_of_root(document: RunDocument) -> NetworkStructure | None:
    """What can be removed from a run's root; None where it is not known."""
    return document.structure or structure_of_arguments(document.run.architecture)


def structure_of_arguments(architecture: Mapping[str, object]) -> NetworkStructure | None:
    """What can be removed from a CIFAR ResNet of that architecture; None for any other."""
    network = root_network(architecture)
    return None if network is None else followed(_of_arguments(network.arguments), network.edits)


def followed(structure: NetworkStructure, edits: Sequence[Edit]) -> NetworkStructure:
    """The structure after edits, one after the other."""
    for edit in edits:
        structure = structure_after(structure, edit)
    return structure


def stages(root: NetworkStructure | None, edits: Sequence[Edit]) -> list[StageView]:
    """The stages after `edits`, against those of the root that the run began with."""
    if root is None:
        return []
    now = followed(root, edits)
    of_blocks = [_stage(name, root, now) for name in dict.fromkeys(b.stage for b in root.blocks)]
    whole, left = _units_outside(root), _units_outside(now)
    return of_blocks + [
        StageView(name, 0, 0, sum(left[name]), sum(whole[name]), left[name], root.unit_word)
        for name in whole
    ]


def staying(
    root: NetworkStructure | None,
    edits: Sequence[Edit],
    min_blocks: int,
    keep: str | None = None,
) -> dict[str, str]:
    """Why blocks that are left after `edits` are never proposed for removal, by their paths."""
    if root is None:
        return {}
    now = followed(root, edits)
    free = {block.path for block in now.removable_blocks(min_blocks)}
    named = kept(now, keep).blocks
    return {
        block.path: f"--keep {named[block.path]}"
        if block.path in named and block.stays is None
        else _WHY_IT_STAYS.get(block.stays or "", f"a stage keeps {min_blocks}")
        for block in now.blocks
        if block.path not in free or block.path in named
    }


def fixed_blocks(root: NetworkStructure | None) -> set[str]:
    """The blocks that change the shape of the maps, so that they can never be removed."""
    return set() if root is None else {b.path for b in root.blocks if b.stays == "shape"}


def _blocks_of(structure: NetworkStructure, stage: str) -> list[Block]:
    return [block for block in structure.blocks if block.stage == stage]


def _stage(name: str, root: NetworkStructure, now: NetworkStructure) -> StageView:
    whole, left = _blocks_of(root, name), _blocks_of(now, name)
    root_widths, widths = _units_by_block(root), _units_by_block(now)
    return StageView(
        name,
        len(left),
        len(whole),
        sum(sum(widths.get(block.path, ())) for block in left),
        sum(sum(root_widths.get(block.path, ())) for block in whole),
        tuple(widths[block.path][0] for block in left if block.path in widths),
        root.unit_word,
    )


def _units_by_block(structure: NetworkStructure) -> dict[str, list[int]]:
    """How many units each group has, by the block that holds it."""
    found: dict[str, list[int]] = {}
    for group in structure.free_groups:
        if group.block is not None:
            found.setdefault(group.block, []).append(group.num_units)
    return found


def _units_outside(structure: NetworkStructure) -> dict[str, tuple[int, ...]]:
    """How many units each group outside of blocks has, by the module that it lies in."""
    found: dict[str, tuple[int, ...]] = {}
    for group in structure.free_groups:
        if group.block is None:
            place = group.path.rpartition(".")[0] or group.path
            found[place] = (*found.get(place, ()), group.num_units)
    return found


def _of_arguments(arguments: ResNetArguments) -> NetworkStructure:
    """The structure of an unpruned CIFAR ResNet, as its arguments tell it."""
    widths = (arguments.stem_width, *arguments.stage_widths)
    blocks, groups = [], []
    for stage, inner_widths in enumerate(arguments.inner_widths):
        for index, width in enumerate(inner_widths):
            path = f"layer{stage + 1}.{index}"
            changes = index == 0 and (stage > 0 or widths[stage] != widths[stage + 1])
            stays = "shape" if changes else "first" if index == 0 else None
            blocks.append(Block(path, f"layer{stage + 1}", width + widths[stage + 1], stays=stays))
            made, read = Member(f"{path}.conv1.weight", 0), Member(f"{path}.conv2.weight", 1)
            groups.append(UnitGroup(f"{path}.conv1", "filter", width, (made, read), block=path))
    return NetworkStructure(tuple(blocks), tuple(groups), read_off=True)
