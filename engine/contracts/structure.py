"""What can be removed from a network, as data: found once, kept with its root, followed from edit
to edit without looking at the network again.

A *block* can go as a whole: what remains still fits together. A *unit* (a filter, a neuron, a head)
is the smallest thing of its kind that can go, with every slice of every tensor that belongs to it;
the units that differ by nothing but their number form a *group*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

Kind = Literal["filter", "neuron", "head", "channel", "expert"]
HowRemoved = Literal["skip", "zeros", "delete", "hollow"]


@dataclass(frozen=True)
class Member:
    """A group's part of one tensor: unit u owns the `width` indices of `axis` from `start(u)` on.

    Units stand at equal distances (`first`, `step`) or, where they do not, at `starts`. A tensor
    may be a member of its group more than once (queries, keys and values in one weight).
    """

    tensor: str  # a parameter or buffer by its name in the network
    axis: int
    width: int = 1
    first: int = 0
    step: int = 1
    starts: tuple[int, ...] = ()

    @staticmethod
    def of(tensor: str, axis: int, width: int, starts: Sequence[int]) -> Member:
        """A member whose units begin there, one unit after the other."""
        steps = {after - before for before, after in pairwise(starts)}
        if len(steps) <= 1:
            return Member(tensor, axis, width, starts[0], steps.pop() if steps else width)
        return Member(tensor, axis, width, starts=tuple(starts))

    def start(self, unit: int) -> int:
        return self.starts[unit] if self.starts else self.first + unit * self.step

    def indices(self, units: Iterable[int]) -> tuple[int, ...]:
        """All indices along the axis that these units own, ascending."""
        starts = (self.start(unit) for unit in units)
        return tuple(sorted(s + offset for s in starts for offset in range(self.width)))


@dataclass(frozen=True)
class Consumer:
    """Where a group's values end: the weight whose indices along `axis` read them, as the group's
    members of that tensor and axis say, and the module that uses it.

    `maskable`: masking the module's input masks the units; elsewhere (a weight that is made of
    others, such as a standardised one) only its columns can be masked.
    """

    tensor: str
    axis: int
    module: str
    maskable: bool = True


@dataclass(frozen=True)
class AttributeRule:
    """A plain number that a forward pass reads (`num_heads`) and that shrinks with a group:
    `per_unit` less for each unit. `position` is its place where the attribute holds several."""

    module: str
    name: str
    value: int
    per_unit: int
    position: int | None = None


@dataclass(frozen=True)
class SizeRule:
    """A number written into a forward pass (a reshape, a split) that shrinks with a group: argument
    `position` of the `call`-th call of that sort within `module`, `per_unit` less for each unit."""

    module: str
    call: int
    position: int
    value: int
    per_unit: tuple[int, ...] | int

    def lost_with(self, units: Iterable[int]) -> int:
        """How much smaller the number is without these units."""
        each = self.per_unit
        return sum(each if isinstance(each, int) else each[unit] for unit in units)


@dataclass(frozen=True)
class UnitGroup:
    """Units of which each can go alone; one has to stay. `path` is the module whose weight makes
    them (by the name of that weight where the module makes several groups)."""

    path: str
    kind: Kind
    num_units: int
    members: tuple[Member, ...]
    consumers: tuple[Consumer, ...] = ()
    block: str | None = None  # the block that holds it; None where it is outside of all
    crosses_blocks: bool = False  # a whole stream's channels: removed only where a person allows it
    attributes: tuple[AttributeRule, ...] = ()
    sizes: tuple[SizeRule, ...] = ()


@dataclass(frozen=True)
class Part:
    """The attention or MLP half of a Transformer's layer: something inside a block that can be
    passed over alone. The fields are those of Block."""

    path: str
    num_units: int = 0
    kind: str = ""
    how: str = "writer"
    removal: HowRemoved = "zeros"
    num_results: int = 0


@dataclass(frozen=True)
class Block:
    """Something that can be passed over: a residual block, or a layer of a Transformer.

    `how` says what it does to its input (`residual`, `residual+act`, `residual+norm`; `writer`: its
    result is only ever added). `removal` says what stands in its place: nothing (`delete`), its
    input (`skip`), zeros (`zeros`), or a copy without numbers that still has its attributes
    (`hollow`). `num_results` is 0 for a tensor, else the length of the tuple that it returns.
    `stays` gives the reason why it may not go (`shape`: it changes the shape of what it gets;
    `first`: it is its stage's first), None where it may.
    """

    path: str
    stage: str
    num_units: int = 0  # filters, neurons and heads inside it
    kind: str = ""  # its class, for people
    how: str = "residual"
    removal: HowRemoved = "delete"
    num_results: int = 0
    stays: str | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class NetworkStructure:
    """All that can be removed from a network, in the order of the forward pass.

    `frozen` names what stays, and why. `output_module` is the module whose input is the
    representation that similarity compares: the final classifier. `stage_sizes` says how many
    blocks each stage had where the structure was found. `read_off` where a network of its family
    shows its structure by itself after every edit.
    """

    blocks: tuple[Block, ...] = ()
    groups: tuple[UnitGroup, ...] = ()
    frozen: Mapping[str, str] = field(default_factory=dict)
    output_module: str = ""
    stage_sizes: Mapping[str, int] = field(default_factory=dict)
    read_off: bool = False

    def removable_blocks(self, min_blocks: int) -> tuple[Block, ...]:
        """Blocks that may go so that `min_blocks` stay in each stage.

        A stage that never had more than that may lose some too, but for one: of networks with
        stages of two blocks (ResNet18) none could go otherwise.
        """
        sizes: dict[str, int] = {}
        for block in self.blocks:
            sizes[block.stage] = sizes.get(block.stage, 0) + 1

        def fewest(stage: str) -> int:
            return min(min_blocks, max(1, self.stage_sizes.get(stage, min_blocks + 1) - 1))

        return tuple(b for b in self.blocks if b.stays is None and sizes[b.stage] > fewest(b.stage))

    def removable_layers(self, min_blocks: int, layers: str) -> tuple[Block | Part, ...]:
        """What a layer candidate may be without: blocks, or the halves of those that have some.

        A block that has lost a half is what is left of it, and counts as a block.
        """
        whole = self.removable_blocks(min_blocks)
        if layers == "blocks":
            return whole
        free = {block.path for block in whole}
        found: list[Block | Part] = []
        for block in self.blocks:
            if block.parts and block.stays is None:
                found += block.parts
            elif block.path in free:
                found.append(block)
        return tuple(found)

    def offered_groups(self, units: str) -> tuple[UnitGroup, ...]:
        """The groups whose units may go: the inner ones, or all."""
        return self.groups if units == "all" else self.free_groups

    @property
    def had_blocks(self) -> bool:
        """Whether the network has blocks or has had any."""
        return bool(self.blocks or self.stage_sizes or self.read_off)

    @property
    def free_groups(self) -> tuple[UnitGroup, ...]:
        """The groups inside of blocks or beside them: the residual stream is not touched."""
        return tuple(group for group in self.groups if not group.crosses_blocks)

    @property
    def unit_word(self) -> str:
        """What its units are called: their kind where they are of one, else `unit`."""
        kinds = {group.kind for group in self.free_groups} or {"filter"}
        return kinds.pop() if len(kinds) == 1 else "unit"

    def num_spare_units(self, units: str = "inner") -> int:
        """How many units could go at most: one stays in every group."""
        return sum(group.num_units - 1 for group in self.offered_groups(units))

    def all_blocks(self) -> Iterator[Block | Part]:
        """Blocks, each followed by its parts."""
        for block in self.blocks:
            yield block
            yield from block.parts
