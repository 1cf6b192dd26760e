"""A node's architecture as values that can be drawn: stages, blocks, and their groups of units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.contracts.edits import Edit
from engine.contracts.structure import Block, NetworkStructure, UnitGroup
from explorer.views.network.left import Left, left_along
from explorer.views.node_view import NodeView
from explorer.views.shape_fields import told

State = Literal["left", "gone now", "gone before"]


@dataclass(frozen=True)
class GroupShown:
    """A group of units: how many the root had, its parent's network, and the node's own."""

    path: str = told("the group, as the root calls it")
    kind: str = told("what its units are: filter, neuron, head, channel, expert")
    root: int = told("how many the root has")
    parent: int = told("how many the node's parent has; the root's own number for the root")
    left: int = told("how many the node has")
    crosses_blocks: bool = told("whether they are channels of a stream that blocks share")


@dataclass(frozen=True)
class PartShown:
    """The attention or MLP half of a block."""

    path: str = told("its path in the network")
    state: State = told("whether it is left, went in the node's own step, or before")


@dataclass(frozen=True)
class BlockShown:
    """A block of the root, whether it is left or not."""

    path: str = told("its path in the network")
    state: State = told("whether it is left, went in the node's own step, or before")
    stays: str | None = told("why it may never go (shape, first), null where it may")
    parts: tuple[PartShown, ...] = told("its halves that can go alone")
    groups: tuple[GroupShown, ...] = told("the groups of units inside")


@dataclass(frozen=True)
class StageShown:
    """A stage of the root, or a part of the network that has units but no blocks."""

    name: str = told("what the network calls it")
    blocks: tuple[BlockShown, ...] = told("its blocks, in the order of the forward pass")
    groups: tuple[GroupShown, ...] = told("groups of units outside of blocks")

    @property
    def all_groups(self) -> Iterable[GroupShown]:
        yield from self.groups
        for block in self.blocks:
            yield from block.groups


@dataclass(frozen=True)
class Diagram:
    """A node's network against its parent's and the root's."""

    node: str = told("the node")
    parent: str | None = told("its parent, null for the root")
    unit: str = told("what its units are called, `unit` where they are of several kinds")
    macs: float | None = told("multiply-accumulates of one item")
    macs_reduction: float | None = told("how many percent of the root's are gone")
    params: float | None = told("parameters")
    stages: tuple[StageShown, ...] = told("its stages, in the order of the forward pass")


def diagram(root: NetworkStructure, edits: Sequence[Edit], node: NodeView | None = None) -> Diagram:
    """The diagram of the network that `edits` leave of a root's."""
    along = left_along(root, edits)
    now, before = along[-1], along[-2] if edits else along[-1]
    touched = {
        group.path
        for group in root.groups
        if not group.crosses_blocks or len(now.units.get(group.path, ())) < group.num_units
    }
    groups = [group for group in root.groups if group.path in touched]
    figure = node.measure if node is not None else (lambda key: None)
    return Diagram(
        node.name if node is not None else "R",
        node.parent if node is not None else None,
        root.unit_word,
        figure("macs"),
        figure("macs_reduction"),
        figure("params"),
        tuple(_stage(each, root, groups, now, before) for each in _sections(root, groups)),
    )


Section = tuple[str, bool, list[UnitGroup]]  # name, whether it is a stage of blocks, other groups


def _sections(root: NetworkStructure, groups: Sequence[UnitGroup]) -> list[Section]:
    """Stages, and what is between them, in the order of the forward pass: that of the groups."""
    stage_of = {block.path: block.stage for block in root.blocks}
    stages = list(dict.fromkeys(stage_of.values()))
    found: list[Section] = []
    seen: set[str] = set()
    for group in groups:
        stage = stage_of.get(group.block or "")
        name = group.path.partition(".")[0]
        if stage is None:
            if not found or found[-1][:2] != (name, False):
                found.append((name, False, []))
            found[-1][2].append(group)
        elif stage not in seen:
            seen.add(stage)
            found.append((stage, True, []))
    found += [(stage, True, []) for stage in stages if stage not in seen]
    in_order = iter(stages)  # among themselves stages stand as the network has them
    return [(next(in_order), True, own) if is_stage else (name, False, own)
            for name, is_stage, own in found]  # fmt: skip


def _stage(
    section: Section,
    root: NetworkStructure,
    groups: Sequence[UnitGroup],
    now: Left,
    before: Left,
) -> StageShown:
    name, is_stage, outside = section
    inside: dict[str, list[GroupShown]] = {}
    for group in groups:
        if is_stage and group.block is not None:
            inside.setdefault(group.block, []).append(_group(group, now, before))
    blocks = (
        _block(block, tuple(inside.get(block.path, ())), now, before)
        for block in root.blocks
        if is_stage and block.stage == name
    )
    return StageShown(name, tuple(blocks), tuple(_group(g, now, before) for g in outside))


def _block(block: Block, groups: tuple[GroupShown, ...], now: Left, before: Left) -> BlockShown:
    parts = (
        PartShown(part.path, _state(part.path, now.parts, before.parts)) for part in block.parts
    )
    state = _state(block.path, now.blocks, before.blocks)
    return BlockShown(block.path, state, block.stays, tuple(parts), groups)


def _group(group: UnitGroup, now: Left, before: Left) -> GroupShown:
    left, parent = (len(each.units.get(group.path, ())) for each in (now, before))
    return GroupShown(group.path, group.kind, group.num_units, parent, left, group.crosses_blocks)


def _state(path: str, now: frozenset[str], before: frozenset[str]) -> State:
    return "left" if path in now else "gone now" if path in before else "gone before"
