"""A data set whose images are decoded when they are needed. Shape legend: N images, B of a batch,
H height, W width, C channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from engine.contracts.loaders import STREAMING
from engine.contracts.networks import DataDescription
from engine.contracts.references import Factory
from engine.data.images import DataSet, ImageData, Images
from engine.data.sources.limits import refuse_beyond_memory
from engine.data.streaming.feed import Feed, Wanted

FEW = 512  # images that are decoded in this process: others would take longer to start
CHUNK = 64


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """One split: its labels in memory, its pixels where they lie; or some images of it, whose
    numbers there are `numbers_N`."""

    split: str
    labels_N: Tensor
    shape_HWC: tuple[int, int, int]
    feed: Feed
    numbers_N: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels_N)

    def only(self, indices_N: Tensor) -> StreamedImages:
        """Some of these images."""
        indices_N = indices_N.cpu()
        numbers_N = indices_N if self.numbers_N is None else self.numbers_N[indices_N]
        return replace(self, labels_N=self.labels_N[indices_N], numbers_N=numbers_N)

    def _in_split(self, indices_N: Tensor) -> np.ndarray:
        indices_N = indices_N.cpu()
        found = indices_N if self.numbers_N is None else self.numbers_N[indices_N]
        return found.numpy()

    def take(self, indices_N: Tensor) -> Images:
        """Some images in memory, as they are evaluated. Raises DataError beyond what is free."""
        indices_N = indices_N.cpu()
        refuse_beyond_memory(
            "what structures are scored with",
            len(indices_N) * int(np.prod(self.shape_HWC)),
            f"{len(indices_N):,} images of {self.split}/",
            "give a smaller --criterion-samples",
        )
        pixels = list(self.batches(CHUNK, indices_N))
        empty = torch.empty((0, *self.shape_HWC), dtype=torch.uint8)
        return Images(torch.cat([empty, *(each.pixels_NHWC for each in pixels)]),
                      self.labels_N[indices_N])  # fmt: skip

    def batches(self, size: int, indices_N: Tensor | None = None) -> Iterator[Images]:
        """All images, or those of these numbers, in their order and as they are evaluated.

        Single batches, and few images, any thread may ask for; else one pass runs at a time.
        """
        if indices_N is None:
            indices_N = torch.arange(len(self))
        parts = indices_N.cpu().split(size)
        wanted = [Wanted(self.split, self._in_split(part)) for part in parts]
        if len(parts) == 1 or len(indices_N) <= FEW:
            found: Iterator[Tensor] = map(self.feed.now, wanted)
        else:
            found = self.feed(wanted)
        for part, pixels_BHWC in zip(parts, found, strict=True):
            yield Images(pixels_BHWC, self.labels_N[part])

    def training_batches(
        self, parts: Sequence[Tensor], seed: int, mean: Sequence[float]
    ) -> Iterator[Images]:
        """Images by their numbers, each changed by draws of its own; `seed` is the epoch's."""
        fill = tuple(round(255 * value) for value in mean)
        wanted = [Wanted(self.split, self._in_split(part), seed, fill) for part in parts]
        for part, pixels_BHWC in zip(parts, self.feed(wanted), strict=True):
            yield Images(pixels_BHWC, self.labels_N[part.cpu()])


@dataclass(frozen=True, eq=False)
class StreamedData(DataSet[StreamedImages]):
    """A data set that is streamed; `shared` test images are training images too, and so are
    `deciding_shared` validation images."""

    shared: int = 0
    deciding_shared: int = 0
    transforms: Factory | None = None

    @property
    def image_shape_HWC(self) -> tuple[int, int, int]:
        return self.train.shape_HWC

    def holding(self, images: Images) -> ImageData:
        """These images alone, in memory, in every split."""
        return ImageData(
            self.name, self.classes, self.mean, self.std, self.flips,
            train=images, validation=images, test=images, digest=self.digest,
        )  # fmt: skip

    def num_deciding_shared(self) -> int:
        """How many validation images are, byte for byte, training images too."""
        return self.deciding_shared

    def num_shared(self) -> int:
        """How many test images are, byte for byte, training or validation images too."""
        return self.shared

    def describe(self) -> DataDescription:
        """What a checkpoint and a store keep of it, and by what it is read."""
        return replace(super().describe(), loader=STREAMING, transforms=self.transforms)
