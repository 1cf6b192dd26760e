"""Images that are held in memory, as a task: a row an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.contracts.networks import DataDescription
from engine.data import Augmenter, ImageData, Images, normalise
from engine.data.splits import sample_per_class
from engine.tasks.batch import Batch
from engine.tasks.task import Split

CPU = torch.device("cpu")


class ImageTask:
    """Image classification; batches are made on the device that is to use them."""

    def __init__(self, data: ImageData, device: torch.device = CPU) -> None:
        self.data, self._device = data, device
        self._augmenter: Augmenter | None = None

    def describe(self) -> DataDescription:
        return self.data.describe()

    def sample(self, per_class: int, seed: int) -> Tensor:
        labels_N = self.data.train.labels_N.numpy()
        return torch.from_numpy(sample_per_class(labels_N, per_class, seed))

    def batches(self, split: Split, size: int, items: Tensor | None = None) -> Iterator[Batch]:
        images = self._split(split)
        if items is not None:
            for items_B in items.split(size):
                yield self._batch(images.take(items_B).to(self._device), items_B)
            return
        images = images.to(self._device)
        for items_B in torch.arange(len(images)).split(size):
            rows = slice(int(items_B[0]), int(items_B[-1]) + 1)
            yield self._batch(Images(images.pixels_NHWC[rows], images.labels_N[rows]), items_B)

    def training_batches(self, sizes: Sequence[int], draw: torch.Generator) -> Iterator[Batch]:
        data = self.data
        if self._augmenter is None:
            train = data.train.to(self._device)
            self._augmenter = Augmenter(train, data.mean, data.std, data.flips)
        order_N = torch.randperm(len(data.train), generator=draw)
        for items_B in order_N.split(list(sizes)):
            images_BCHW, labels_B = self._augmenter.batch(items_B, draw)
            yield Batch(images_BCHW, labels_B, items_B)

    def train_labels(self) -> Tensor:
        """The class of each training image."""
        return self.data.train.labels_N.cpu()

    def only(self, items_N: Tensor) -> ImageTask:
        """The same task with these of the training images alone."""
        return ImageTask(replace(self.data, train=self.data.train.take(items_N)), self._device)

    def _batch(self, images: Images, items_B: Tensor) -> Batch:
        inputs_BCHW = normalise(images.pixels_NHWC, self.data.mean, self.data.std)
        return Batch(inputs_BCHW, images.labels_N, items_B)

    def _split(self, split: Split) -> Images:
        found: Images = getattr(self.data, split)
        return found


def blank(image_shape_HWC: Sequence[int], count: int = 1) -> Batch:
    """Black images: where only their shape counts."""
    height, width, channels = image_shape_HWC
    numbers_B = torch.arange(count)
    return Batch(torch.zeros(count, channels, height, width), numbers_B * 0, numbers_B)
