"""The KL criterion for CIFAR ResNets, exactly: what their outputs lose without each block and each
filter.

Shape legend: N images, B images of a chunk, C channels, H height, W width, K classes, P packed
(structure, image) pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.measures.folding import fold_batchnorm
from engine.models.cifar_resnet import BasicBlock, CifarResNet
from engine.pruning.criteria.sums import Sums, chunks, kl_of
from engine.pruning.scores import Scores
from engine.runtime.device import torch_device
from engine.runtime.progress import SILENT, Monitor
from engine.runtime.threads import in_parallel
from engine.tasks import Batch, Task

CHUNK_IMAGES = 64
PACKED_PAIRS = 128  # larger batches fall out of a CPU's cache
PACK_BYTES = 2**27  # of one map of a pack on a GPU, which wants large ones; about five live at once


def chain_scores(
    model: CifarResNet,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> Scores:
    """The scores of `kl`: a filter's contribution to its block is taken out and everything behind
    the block computed again, from what the untouched layers before it gave. Raises Cancelled."""
    device = torch_device(execution)
    network = inference_network(model, device)
    sums = sums_of(structure)
    done, num_pairs_in_all = 0, sums.num_structures * len(items_N)

    def count(num_pairs: int) -> None:
        nonlocal done
        done += num_pairs
        monitor.step("scoring", done, num_pairs_in_all)

    for batch in chunks(task, items_N, CHUNK_IMAGES, device):
        chain = Chain(network, batch)
        chain.add_to(sums, {}, execution, monitor, count)
    return sums.means()


@torch.inference_mode()
def chain_block_sums(
    model: CifarResNet,
    structure: NetworkStructure,
    task: Task,
    items_N: Tensor,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> dict[str, float]:
    """The KL without each block, those that stay too, summed over the images. Raises Cancelled."""
    device = torch_device(execution)
    network = inference_network(model, device)
    sums = Sums((block.path for block in structure.blocks), ())
    for batch in chunks(task, items_N, CHUNK_IMAGES, device):
        monitor.check()
        chain = Chain(network, batch)
        for position, (path, _) in enumerate(chain.blocks):
            sums.blocks[path] += chain.without_block(position)
    return sums.blocks


def inference_network(model: CifarResNet, device: torch.device) -> CifarResNet:
    """The network, folded, on the device that scoring runs on."""
    return fold_batchnorm(model).to(device)  # type: ignore[return-value]


def sums_of(structure: NetworkStructure) -> Sums:
    """Zeros for every block, those that stay too, and every filter."""
    return Sums((block.path for block in structure.blocks), structure.groups)


class Chain:
    """One chunk of images with the input of every block kept, so that only what is behind a
    silenced structure is computed again."""

    def __init__(self, network: Any, batch: Batch) -> None:
        self.network = network
        self._targets_B = batch.targets
        self.blocks: list[tuple[str, BasicBlock]] = list(self.network.blocks())
        self.inputs_BCHW = [self.network.stem(batch.inputs)]
        for _, block in self.blocks:
            self.inputs_BCHW.append(block(self.inputs_BCHW[-1]))
        self.logits_BK = self._tail(self.inputs_BCHW[-1], len(self.blocks))

    def _tail(self, maps_BCHW: Tensor, position: int) -> Tensor:
        for _, block in self.blocks[position:]:
            maps_BCHW = block(maps_BCHW)
        logits_BK: Tensor = self.network.classify(self.network.pool(maps_BCHW))
        return logits_BK.double()

    def add_to(
        self,
        sums: Sums,
        wanted: Mapping[str, Tensor],
        execution: Execution,
        monitor: Monitor,
        count: Callable[[int], None],
    ) -> None:
        """Adds the KL of every structure on these images; `wanted` as in `without_filters`, by
        block. `count` hears how many (structure, image) pairs are done, by block. Raises Cancelled.
        """

        def task(position: int) -> tuple[str, float, Tensor]:
            path, _ = self.blocks[position]
            sums_C = self.without_filters(position, wanted.get(path), monitor)
            return path, self.without_block(position), sums_C

        def take(found: tuple[str, float, Tensor]) -> None:
            path, block_sum, filter_sums_C = found
            sums.blocks[path] += block_sum
            sums.units[f"{path}.conv1"] += filter_sums_C
            count((1 + len(filter_sums_C)) * len(self.logits_BK))

        sums.num_rows += len(self._targets_B)
        tasks = [partial(task, position) for position in range(len(self.blocks))]
        in_parallel(tasks, execution, take)

    def without_block(self, position: int) -> float:
        """The sum over the images of the KL without a block."""
        shortcut_BCHW = self.blocks[position][1].shortcut(self.inputs_BCHW[position])
        logits_BK = self._tail(F.relu(shortcut_BCHW), position + 1)
        return float(kl_of(logits_BK, self.logits_BK, self._targets_B).sum())

    def without_filters(self, position: int, wanted_BC: Tensor | None, monitor: Monitor) -> Tensor:
        """The sums of the KL without each filter of a block, over those (image, filter) pairs that
        are wanted (None: all). Raises Cancelled."""
        block = self.blocks[position][1]
        hidden_BCHW = block.hidden(self.inputs_BCHW[position])
        shortcut_BCHW = block.shortcut(self.inputs_BCHW[position])
        before_act_BCHW = block.residual(hidden_BCHW) + shortcut_BCHW
        # A filter that is zero all over an image changes nothing there: its KL is exactly 0.
        asked_BC = hidden_BCHW.amax((2, 3)) > 0
        if wanted_BC is not None:
            asked_BC &= wanted_BC
        filter_sums_C = torch.zeros(hidden_BCHW.shape[1], dtype=torch.float64)
        for pairs_P2 in asked_BC.T.nonzero().split(packed_pairs(before_act_BCHW)):
            monitor.check()
            ids_P, images_P = pairs_P2.unbind(1)
            maps_BCHW = _silenced(block, hidden_BCHW, before_act_BCHW, ids_P, images_P)
            logits_PK = self._tail(maps_BCHW, position + 1)
            kl_P = kl_of(logits_PK, self.logits_BK[images_P], self._targets_B[images_P])
            filter_sums_C.index_add_(0, ids_P.cpu(), kl_P.cpu())
        return filter_sums_C


def packed_pairs(maps_BCHW: Tensor) -> int:
    """How many (filter, image) pairs go through the layers behind at a time."""
    if maps_BCHW.device.type == "cpu":
        return PACKED_PAIRS
    return max(PACKED_PAIRS, PACK_BYTES // (maps_BCHW[0].numel() * maps_BCHW.element_size()))


def _silenced(
    block: BasicBlock, hidden_BCHW: Tensor, before_act_BCHW: Tensor, ids_P: Tensor, images_P: Tensor
) -> Tensor:
    """What a block gives (P, C, H, W) on images without one filter each: its contribution to the
    second convolution is a small matrix product, subtracted before the activation."""
    _, width, rows, columns = before_act_BCHW.shape
    patches_P9L = F.unfold(hidden_BCHW[images_P, ids_P][:, None], 3, padding=1)
    weight_C9O = block.conv2.weight.permute(1, 2, 3, 0).reshape(-1, 9, width)
    before_PLO = before_act_BCHW.permute(0, 2, 3, 1)[images_P].flatten(1, 2)
    maps_PLO = torch.baddbmm(before_PLO, patches_P9L.mT, weight_C9O[ids_P], alpha=-1).relu_()
    maps_PCHW: Tensor = maps_PLO.unflatten(1, (rows, columns)).permute(0, 3, 1, 2)
    return maps_PCHW
