"""What the KL criteria share: the KL of outputs, sums of it over images, images by the chunk.

Shape legend: N images, B images of a chunk, H height, W width, C channels, U units, K classes, P
(structure, image) pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from engine.contracts.structure import UnitGroup
from engine.data import Images
from engine.pruning.scores import Scores

CHUNK_IMAGES_GPU = 256


class Sums:
    """The KL of every structure that is scored, summed over images."""

    def __init__(self, blocks: Iterable[str], groups: Iterable[UnitGroup]) -> None:
        self.blocks = dict.fromkeys(blocks, 0.0)
        self.units = {
            group.path: torch.zeros(group.num_units, dtype=torch.float64) for group in groups
        }

    @property
    def num_structures(self) -> int:
        return len(self.blocks) + sum(len(sums_U) for sums_U in self.units.values())

    def add(self, others: Sums) -> None:
        """Adds the sums of other images."""
        for path, total in others.blocks.items():
            self.blocks[path] += total
        for path, sums_U in others.units.items():
            self.units[path] += sums_U

    def means(self, num_images: int) -> Scores:
        return Scores(
            {path: total / num_images for path, total in self.blocks.items()},
            {path: tuple((sums_U / num_images).tolist()) for path, sums_U in self.units.items()},
        )


def chunks(images: Images, size: int) -> Iterator[Tensor]:
    """The pixels of the images (B, H, W, C), `size` at a time; on a GPU more."""
    if images.pixels_NHWC.device.type != "cpu":
        size = max(size, CHUNK_IMAGES_GPU)
    for offset in range(0, len(images), size):
        yield images.pixels_NHWC[offset : offset + size]


def kl_of(pruned_PK: Tensor, unpruned_PK: Tensor) -> Tensor:
    """KL(pruned ‖ unpruned) of the softmax of each row of logits."""
    log_q_PK, log_p_PK = pruned_PK.log_softmax(1), unpruned_PK.log_softmax(1)
    return (log_q_PK.exp() * (log_q_PK - log_p_PK)).sum(1)
