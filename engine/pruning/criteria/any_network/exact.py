"""The exact KL of every block and unit of any network.

Shape legend: N items, B items of a chunk, U units, K classes, P (unit, item) pairs. "…" is what an
item's rows are along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from engine.contracts.networks import Execution
from engine.contracts.structure import Block, NetworkStructure, Part, UnitGroup
from engine.pruning.criteria.any_network.blocks import BlockWay, block_way_of
from engine.pruning.criteria.any_network.copies import (
    Copies,
    bears_channels_last,
    network_to_run,
)
from engine.pruning.criteria.any_network.prefix import Prefix, Wants
from engine.pruning.criteria.any_network.trace import Cut, Trace
from engine.pruning.criteria.any_network.values import FORWARD_ERRORS
from engine.pruning.criteria.any_network.ways import Way, way_of
from engine.pruning.criteria.sums import Sums, kl_of
from engine.pruning.scores import Scores
from engine.runtime.attention import attention_in_the_open
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Inputs, Task
from engine.tasks.batch import num_rows_of
from engine.tasks.task import of_items

MOST_ITEMS = 64  # of a chunk
KEPT_BYTES = 2**28  # that a chunk keeps of its forward pass
MOST_PAIRS = 128  # of a pack
PACK_BYTES, PACK_BYTES_GPU = 2**24, 2**27  # of the largest value of a pack: about five live at once
TASK_PACKS = 16  # a task is what runs between two words of progress

Found = tuple[int, str, Tensor | float]


@torch.inference_mode()
def exact_scores(
    model: nn.Module,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
    *,
    crossing: bool = False,
) -> Scores:
    """The scores of `kl`. Raises Cancelled."""
    groups = groups_to_score(structure, crossing)
    with attention_in_the_open():
        blocks = blocks_to_score(structure)
        exact = Exact(model, blocks, structure, groups, task, items_N, execution)
        sums = exact.sums_over(torch.arange(len(items_N)), {}, monitor)
    return sums.means()


def groups_to_score(structure: NetworkStructure, crossing: bool) -> tuple[UnitGroup, ...]:
    """Groups inside of blocks or beside them; those that cross blocks only where asked for."""
    return structure.groups if crossing else structure.free_groups


def blocks_to_score(structure: NetworkStructure) -> tuple[Block | Part, ...]:
    """Blocks, and parts of them, of which a network can be without."""
    return tuple(
        block
        for block in structure.all_blocks()
        if not (isinstance(block, Block) and block.stays == "shape")
    )


class Exact:
    """A network with items, and for each of its structures the fastest way to be without it."""

    def __init__(
        self,
        model: nn.Module,
        blocks: Iterable[Block | Part],
        structure: NetworkStructure,
        groups: Iterable[UnitGroup],
        task: Task,
        items_N: Tensor,
        execution: Execution,
    ) -> None:
        self._task, self.items_N, self._execution = task, items_N, execution
        self._groups = tuple(groups)
        self._done = 0
        self._memory, few = torch.channels_last, torch.arange(Trace.NUM_ITEMS) % len(items_N)
        self.few = self.batch(few)
        if not bears_channels_last(model, self.few.inputs, execution):
            self._memory = torch.contiguous_format
            self.few = self.batch(few)
        network = network_to_run(model, self.few.inputs, execution, self._memory)
        self.copies = Copies(network)
        with self.copies.lent() as network:
            self.trace = _trace_of(network, self.few.inputs)
            about = (network, self.trace, self.few)
            self.ways: dict[str, Way] = {g.path: way_of(g, *about) for g in self._groups}
            self._block_ways: dict[str, BlockWay] = {
                block.path: block_way_of(block, structure, *about) for block in blocks
            }
        wants = [way.wants for way in self.ways.values()]
        wants += [way.wants for way in self._block_ways.values()]
        self._wants = Wants.all_of(wants)

    def batch(self, positions_B: Tensor) -> Batch:
        """The items at these positions among those that are scored with."""
        batch = of_items(self._task, "train", self.items_N[positions_B])
        batch = batch.to(torch_device(self._execution))
        if self._memory == torch.channels_last:
            return batch
        return batch.contiguous()

    @property
    def chunk_size(self) -> int:
        """How many items' forward passes are kept at a time."""
        if self.trace is None:
            return MOST_ITEMS
        most = KEPT_BYTES // max(1, self._wants.bytes_an_item(self.trace))
        return max(1, min(MOST_ITEMS, most))

    def pack_size(self, cut: Cut | None) -> int:
        """How many pairs run at a time from a cut on."""
        if cut is None:
            largest = self.trace.bytes_an_item if self.trace is not None else 0
        else:
            largest = cut.largest_bytes
        budget = PACK_BYTES if self._execution.device == "cpu" else PACK_BYTES_GPU
        return max(1, min(MOST_PAIRS, budget // max(1, largest)))

    def sums_over(self, ids_N: Tensor, wanted: Mapping[str, Tensor], monitor: Monitor) -> Sums:
        """The KL of every structure, summed over these items; of units over those (item, unit)
        pairs that are wanted (N, U), by group (a group that is missing: all). Raises Cancelled."""
        sums = Sums(self._block_ways, self._groups)
        total = sums.num_structures * len(self.items_N)

        def take(found: Found) -> None:
            num_pairs, path, found_sums = found
            if isinstance(found_sums, float):
                sums.blocks[path] += found_sums
            else:
                sums.units[path] += found_sums
            self._done += num_pairs
            monitor.step("scoring", self._done, total)

        for rows_B in torch.arange(len(ids_N)).split(self.chunk_size):
            monitor.check()
            with self.copies.lent() as network:
                prefix = Prefix(self.trace, network, self.batch(ids_N[rows_B]), self._wants)
            sums.num_rows += num_rows_of(prefix.targets)
            here = {path: mask_NU[rows_B] for path, mask_NU in wanted.items()}
            in_parallel(self._tasks(prefix, here, monitor), self._execution, take)
        return sums

    def _tasks(
        self, prefix: Prefix, wanted: Mapping[str, Tensor], monitor: Monitor
    ) -> list[Callable[[], Found]]:
        num_items = len(prefix)
        tasks: list[Callable[[], Found]] = [
            partial(self._without_block, prefix, path, monitor) for path in self._block_ways
        ]
        for group in self._groups:
            way = self.ways[group.path]
            asked_BU = wanted.get(group.path)
            alive_BU = _alive(prefix, way, group.num_units)
            asked_BU = alive_BU if asked_BU is None else asked_BU.to(alive_BU.device) & alive_BU
            num_units = max(1, TASK_PACKS * self.pack_size(way.cut) // num_items)
            for units_U in torch.arange(group.num_units).split(num_units):
                tasks.append(
                    partial(self._without_units, prefix, group, asked_BU, units_U, monitor)
                )
        return tasks

    def _without_block(self, prefix: Prefix, path: str, monitor: Monitor) -> Found:
        monitor.check()
        with self.copies.lent() as network:
            logits = self._block_ways[path].logits(network, prefix)
        return len(logits), path, float(kl_of(logits, prefix.logits, prefix.targets).sum())

    def _without_units(
        self,
        prefix: Prefix,
        group: UnitGroup,
        asked_BU: Tensor,
        units_U: Tensor,
        monitor: Monitor,
    ) -> Found:
        """The sums of the KL without these units, over the pairs that are asked for."""
        way = self.ways[group.path]
        sums_U = torch.zeros(group.num_units, dtype=torch.float64)
        pairs_P2 = asked_BU.T[units_U.to(asked_BU.device)].nonzero()
        done = len(units_U) * len(prefix)
        if not len(pairs_P2):
            return done, group.path, sums_U
        with self.copies.lent() as network, way.on(network, prefix) as run:
            for some_P2 in pairs_P2.split(self.pack_size(way.cut)):
                monitor.check()
                units_P, items_P = some_P2[:, 0] + units_U[0], some_P2[:, 1]
                found, whole = run(units_P, items_P), prefix.logits[items_P]
                kl_P = kl_of(found, whole, prefix.targets[items_P])
                sums_U.index_add_(0, units_P.cpu(), kl_P.cpu())
        return done, group.path, sums_U


def _alive(prefix: Prefix, way: Way, num_units: int) -> Tensor:
    """Which (item, unit) pairs have anything to silence (B, U): of others the KL is exactly 0."""
    alive_BU = [prefix.activity[reader] != 0 for reader in way.readers]
    if not alive_BU:
        return torch.ones(len(prefix), num_units, dtype=torch.bool, device=prefix.device)
    return torch.stack(alive_BU).any(0)


def _trace_of(network: nn.Module, few: Inputs) -> Trace | None:
    """None for networks whose calls cannot be followed; they run all the way each time."""
    try:
        return Trace(network, few)
    except FORWARD_ERRORS:
        return None
