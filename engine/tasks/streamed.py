"""Images that are decoded when they are needed, as a task: a row an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.contracts.networks import DataDescription
from engine.data import Images, ImageSet, StreamedData, StreamedImages, normalise
from engine.data.splits import sample_per_class
from engine.tasks.batch import Batch
from engine.tasks.images import CPU, ImageTask
from engine.tasks.task import Split, Task

MOST_SEED = 2**62


def image_task(data: ImageSet, device: torch.device = CPU) -> Task:
    """The classification of images, wherever they are held."""
    if isinstance(data, StreamedData):
        return StreamedTask(data, device)
    return ImageTask(data, device)


class StreamedTask:
    """Image classification; pixels come as bytes, and are scaled on the device that is to compute.

    An image is changed by draws of its own, which follow from the epoch's seed and its number: so
    batches are the same whoever loads them, and wherever somebody was interrupted.
    """

    def __init__(self, data: StreamedData, device: torch.device = CPU) -> None:
        self.data, self._device = data, device

    def describe(self) -> DataDescription:
        return self.data.describe()

    def sample(self, per_class: int, seed: int) -> Tensor:
        labels_N = self.data.train.labels_N.numpy()
        return torch.from_numpy(sample_per_class(labels_N, per_class, seed))

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        streamed: StreamedImages = getattr(self.data, split)
        if items is None:
            items = torch.arange(len(streamed))
        found = streamed.batches(size, items)
        for items_B, images in zip(items.split(size), found, strict=True):
            yield self._batch(images, items_B)

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        train = self.data.train
        order_N = torch.randperm(len(train), generator=draw)
        seed = int(torch.randint(MOST_SEED, (1,), generator=draw))
        parts = order_N.split(list(sizes))
        for items_B, images in zip(
            parts, train.training_batches(parts, seed, self.data.mean), strict=True
        ):
            yield self._batch(images, items_B)

    def train_labels(self) -> Tensor:
        """The class of each training image."""
        return self.data.train.labels_N.cpu()

    def only(self, items_N: Tensor) -> StreamedTask:
        """The same task with these of the training images alone."""
        train = self.data.train.only(items_N)
        return StreamedTask(replace(self.data, train=train), self._device)

    def _batch(self, images: Images, items_B: Tensor) -> Batch:
        images = images.to(self._device)
        inputs_BCHW = normalise(images.pixels_NHWC, self.data.mean, self.data.std)
        return Batch(inputs_BCHW, images.labels_N, items_B)
