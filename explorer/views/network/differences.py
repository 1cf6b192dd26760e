"""How the networks of two nodes of a run differ, whichever branches they are on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure
from explorer.views.network.left import Left, left_along
from explorer.views.node_view import NodeView
from explorer.views.shape_fields import told


@dataclass(frozen=True)
class GroupDiffers:
    """A group of units of which A and B have not the same ones."""

    path: str = told("the group, as the root calls it")
    kind: str = told("what its units are")
    block: str | None = told("the block that holds it, null outside of all")
    root: int = told("how many the root has")
    a: int | None = told("how many A has, null where A has no such group")
    b: int | None = told("how many B has, null where B has no such group")
    only_a: tuple[int, ...] = told("the units that only A has, by the root's numbers from 0")
    only_b: tuple[int, ...] = told("the units that only B has")


@dataclass(frozen=True)
class NetworksDiffer:
    """The structural difference of two nodes of a run; of a node with itself it is empty."""

    run: str = told("the run's name")
    a: str = told("the node A")
    b: str = told("the node B")
    blocks_only_a: tuple[str, ...] = told("blocks that only A has, in the root's order")
    blocks_only_b: tuple[str, ...] = told("blocks that only B has")
    parts_only_a: tuple[str, ...] = told("halves that only A has, of blocks that both have")
    parts_only_b: tuple[str, ...] = told("halves that only B has, of blocks that both have")
    groups: tuple[GroupDiffers, ...] = told(
        "groups with other units in A than in B, but for those of blocks that only one of them has"
    )
    macs_a: float | None = told("A's multiply-accumulates of one item")
    macs_b: float | None = told("B's")
    macs_difference: float | None = told("B's less A's")
    params_a: float | None = told("A's parameters")
    params_b: float | None = told("B's")
    params_difference: float | None = told("B's less A's")

    @property
    def is_empty(self) -> bool:
        """Whether the two are the same network, but for its weights."""
        return not (
            self.blocks_only_a or self.blocks_only_b or self.parts_only_a or self.parts_only_b
            or self.groups
        )  # fmt: skip


def networks_differ(
    run: str,
    root: NetworkStructure,
    edits: tuple[Sequence[Edit], Sequence[Edit]],
    nodes: tuple[NodeView, NodeView],
) -> NetworksDiffer:
    """How the networks differ that two ways from the root lead to."""
    a, b = (left_along(root, way)[-1] for way in edits)
    blocks = [block.path for block in root.blocks]
    parts = [
        part.path
        for block in root.blocks
        for part in block.parts
        if block.path in a.blocks and block.path in b.blocks
    ]
    macs, params = (tuple(node.measure(key) for node in nodes) for key in ("macs", "params"))
    return NetworksDiffer(
        run,
        nodes[0].name,
        nodes[1].name,
        tuple(path for path in blocks if path in a.blocks - b.blocks),
        tuple(path for path in blocks if path in b.blocks - a.blocks),
        tuple(path for path in parts if path in a.parts - b.parts),
        tuple(path for path in parts if path in b.parts - a.parts),
        tuple(_groups(root, a, b)),
        macs[0],
        macs[1],
        _less(macs[1], macs[0]),
        params[0],
        params[1],
        _less(params[1], params[0]),
    )


def _groups(root: NetworkStructure, a: Left, b: Left) -> list[GroupDiffers]:
    one_sided = a.blocks ^ b.blocks
    found = []
    for group in root.groups:
        ours, theirs = a.units.get(group.path), b.units.get(group.path)
        if ours == theirs or group.block in one_sided:
            continue
        with_us, with_them = set(ours or ()), set(theirs or ())
        found.append(
            GroupDiffers(
                group.path,
                group.kind,
                group.block,
                group.num_units,
                None if ours is None else len(ours),
                None if theirs is None else len(theirs),
                tuple(sorted(with_us - with_them)),
                tuple(sorted(with_them - with_us)),
            )
        )
    return found


def _less(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
