"""The importance of blocks and filters.

Shape legend: N images, B images of a chunk, C channels, H height, W width, K classes, P packed
(structure, image) pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.data import ImageData, Images, normalise
from engine.device import Execution
from engine.errors import ScoresError
from engine.evaluation import fold_batchnorm
from engine.models.resnet import BasicBlock, CifarResNet
from engine.monitor import SILENT, Monitor
from engine.structure import structure_of

CHUNK_IMAGES = 64
PACKED_PAIRS = 128  # larger batches fall out of a CPU's cache


@dataclass(frozen=True)
class Scores:
    """Importance (the least goes first): by block path, and by convolution path a filter."""

    blocks: dict[str, float]
    filters: dict[str, tuple[float, ...]]

    def as_dict(self) -> dict[str, Any]:
        return {"blocks": self.blocks, "filters": {k: list(v) for k, v in self.filters.items()}}

    @staticmethod
    def from_dict(value: Mapping[str, Any], model: nn.Module) -> Scores:
        """The scores of `as_dict`. Raises ScoresError where they are not this network's."""
        structure = structure_of(model)
        expected = {group.path: group.num_filters for group in structure.filter_groups}
        try:
            blocks = {str(path): float(score) for path, score in value["blocks"].items()}
            filters = {
                str(path): tuple(float(score) for score in scores)
                for path, scores in value["filters"].items()
            }
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScoresError(f"these scores cannot be read: {error!r}; score again") from error
        if set(blocks) != {block.path for block in structure.blocks}:
            raise ScoresError("scores of other blocks than the network's; score again")
        if {path: len(scores) for path, scores in filters.items()} != expected:
            raise ScoresError("scores of other filters than the network's; score again")
        return Scores(blocks, filters)


Criterion = Callable[[nn.Module, Images, ImageData, Execution, Monitor], Scores]


def l1_scores(
    model: nn.Module, images: Images, data: ImageData, execution: Execution, monitor: Monitor
) -> Scores:
    """The mean absolute weight of a filter, and of a block's convolutions (Li et al., 2017).

    Within a convolution it ranks as the L1 norm does; the mean makes layers of different fan-in
    comparable. No images are looked at.
    """
    structure = structure_of(model)
    filters = {}
    for group in structure.filter_groups:
        convolution = model.get_submodule(group.path)
        assert isinstance(convolution, nn.Conv2d)
        weight = convolution.weight.detach()
        filters[group.path] = tuple(weight.abs().double().mean((1, 2, 3)).tolist())
    blocks = {}
    for block in structure.blocks:
        weights = [
            m.weight.detach().abs().double().flatten()
            for m in model.get_submodule(block.path).modules()
            if isinstance(m, nn.Conv2d)
        ]
        blocks[block.path] = float(torch.cat(weights).mean())
    return Scores(blocks, filters)


@torch.inference_mode()
def kl_scores(
    model: nn.Module,
    images: Images,
    data: ImageData,
    execution: Execution,
    monitor: Monitor = SILENT,
) -> Scores:
    """KL(pruned ‖ unpruned) of the softmax outputs, averaged over the images (Luo & Wu, 2020).

    Exact, by really silencing each structure: a filter's contribution to the block is taken out
    and everything behind the block computed again, from what the untouched layers before it gave.
    """
    assert isinstance(model, CifarResNet)
    network = fold_batchnorm(model).to(execution.torch_device)
    images = images.to(execution.torch_device)
    structure = structure_of(model)
    blocks = {block.path: 0.0 for block in structure.blocks}
    filters = {
        group.path: torch.zeros(group.num_filters, dtype=torch.float64)
        for group in structure.filter_groups
    }
    num_structures = len(structure.blocks) + sum(g.num_filters for g in structure.filter_groups)
    num_units, done = num_structures * len(images), 0
    for offset in range(0, len(images), CHUNK_IMAGES):
        pixels_BHWC = images.pixels_NHWC[offset : offset + CHUNK_IMAGES]
        chain = _Chain(network, normalise(pixels_BHWC, data.mean, data.std))
        for position, (path, _) in enumerate(chain.blocks):
            block_sum, filter_sums_C = chain.silence(position, monitor)
            blocks[path] += block_sum
            filters[f"{path}.conv1"] += filter_sums_C
            done += (1 + len(filter_sums_C)) * len(pixels_BHWC)
            monitor.step("scoring", done, num_units)
    return Scores(
        {path: total / len(images) for path, total in blocks.items()},
        {path: tuple((sums_C / len(images)).tolist()) for path, sums_C in filters.items()},
    )


class _Chain:
    """One chunk of images with the input of every block kept, so that only what is behind a
    silenced structure is computed again."""

    def __init__(self, network: Any, images_BCHW: Tensor) -> None:
        self.network = network
        self.blocks: list[tuple[str, BasicBlock]] = list(self.network.blocks())
        self.inputs_BCHW = [self.network.stem(images_BCHW)]
        for _, block in self.blocks:
            self.inputs_BCHW.append(block(self.inputs_BCHW[-1]))
        self.logits_BK = self._tail(self.inputs_BCHW[-1], len(self.blocks))

    def _tail(self, maps_BCHW: Tensor, position: int) -> Tensor:
        for _, block in self.blocks[position:]:
            maps_BCHW = block(maps_BCHW)
        return self.network.classify(self.network.pool(maps_BCHW)).double()

    def silence(self, position: int, monitor: Monitor) -> tuple[float, Tensor]:
        """Sums over the images of the KL without the block, and without each of its filters."""
        block = self.blocks[position][1]
        x_BCHW = self.inputs_BCHW[position]
        shortcut_BCHW = block.shortcut(x_BCHW)
        hidden_BCHW = block.hidden(x_BCHW)
        before_act_BCHW = block.residual(hidden_BCHW) + shortcut_BCHW
        without_block_BK = self._tail(F.relu(shortcut_BCHW), position + 1)
        block_sum = float(_kl(without_block_BK, self.logits_BK).sum())

        filter_sums_C = torch.zeros(hidden_BCHW.shape[1], dtype=torch.float64)
        maps: list[Tensor] = []
        filter_ids: list[Tensor] = []
        image_ids: list[Tensor] = []

        def flush() -> None:
            monitor.check()
            ids_P, images_P = torch.cat(filter_ids), torch.cat(image_ids)
            logits_PK = self._tail(torch.cat(maps), position + 1)
            kl_P = _kl(logits_PK, self.logits_BK[images_P])
            filter_sums_C.index_add_(0, ids_P.cpu(), kl_P.cpu())
            for pending in (maps, filter_ids, image_ids):
                pending.clear()

        # A filter that is zero all over an image changes nothing there: its KL is exactly 0.
        alive_BC = hidden_BCHW.amax((2, 3)) > 0
        for channel in range(hidden_BCHW.shape[1]):
            ids_B = alive_BC[:, channel].nonzero()[:, 0]
            if len(ids_B) == 0:
                continue
            contribution_BCHW = F.conv2d(
                hidden_BCHW[ids_B, channel : channel + 1],
                block.conv2.weight[:, channel : channel + 1],
                padding=1,
            )
            maps.append(F.relu(before_act_BCHW[ids_B] - contribution_BCHW))
            filter_ids.append(torch.full_like(ids_B, channel))
            image_ids.append(ids_B)
            if sum(len(ids) for ids in image_ids) >= PACKED_PAIRS:
                flush()
        if maps:
            flush()
        return block_sum, filter_sums_C


def _kl(pruned_PK: Tensor, unpruned_PK: Tensor) -> Tensor:
    """KL(pruned ‖ unpruned) of the softmax of each row of logits."""
    log_q_PK, log_p_PK = pruned_PK.log_softmax(1), unpruned_PK.log_softmax(1)
    return (log_q_PK.exp() * (log_q_PK - log_p_PK)).sum(1)


CRITERIA: dict[str, Criterion] = {"kl": kl_scores, "l1": l1_scores}
