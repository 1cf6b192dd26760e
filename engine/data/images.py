"""The values that hold a data set. Shape legend: N images, H height, W width, C channels."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sized
from dataclasses import dataclass, replace
from typing import Generic, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from engine.contracts.networks import DataDescription, OwnValidation
from engine.data.splits import num_shared


@dataclass(frozen=True, eq=False)
class Images:
    """One split: uint8 pixels (N, H, W, C) and int64 labels (N,)."""

    pixels_NHWC: Tensor
    labels_N: Tensor

    def __len__(self) -> int:
        return len(self.labels_N)

    def to(self, device: torch.device) -> Images:
        return Images(self.pixels_NHWC.to(device), self.labels_N.to(device))

    def take(self, indices_N: Tensor) -> Images:
        indices_N = indices_N.to(self.labels_N.device)
        return Images(self.pixels_NHWC[indices_N], self.labels_N[indices_N])


SplitT = TypeVar("SplitT", bound=Sized)


@dataclass(frozen=True, eq=False)
class DataSet(ABC, Generic[SplitT]):
    """A data set ready for use; mean and std are a channel's, of pixels scaled to [0, 1].

    `flips` says whether a mirrored image is still of its class (not so for digits and letters).
    `digest` is the SHA-256 of everything a result depends on, the splits included. `notes` is what
    a person should know of how it was read: left out, converted, taken for something.
    """

    name: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flips: bool
    train: SplitT
    validation: SplitT
    test: SplitT
    digest: str
    notes: tuple[str, ...] = ()
    own_validation: OwnValidation | None = None

    @property
    @abstractmethod
    def image_shape_HWC(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""

    def with_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Self:
        """The same images, scaled as the network was trained with."""
        return replace(self, mean=tuple(mean), std=tuple(std))

    def describe(self) -> DataDescription:
        """What a checkpoint and a store keep of it."""
        return DataDescription(
            name=self.name,
            classes=self.classes,
            mean=self.mean,
            std=self.std,
            flips=self.flips,
            digest=self.digest,
            image_shape=self.image_shape_HWC,
            num_train=len(self.train),
            num_validation=len(self.validation),
            num_test=len(self.test),
            own_validation=self.own_validation,
        )


@dataclass(frozen=True, eq=False)
class ImageData(DataSet[Images]):
    """A data set in memory."""

    @property
    def image_shape_HWC(self) -> tuple[int, int, int]:
        height, width, channels = self.train.pixels_NHWC.shape[1:]
        return int(height), int(width), int(channels)

    def holding(self, images: Images) -> ImageData:
        """These images alone, in every split."""
        return replace(self, train=images, validation=images, test=images)

    def num_deciding_shared(self) -> int:
        """How many validation images are, pixel for pixel, training images too."""
        ours, theirs = (each.pixels_NHWC.cpu().numpy() for each in (self.validation, self.train))
        return num_shared(ours, theirs)

    def num_shared(self) -> int:
        """How many test images are, pixel for pixel, training or validation images too."""
        ours = [split.pixels_NHWC.cpu().numpy() for split in (self.train, self.validation)]
        return num_shared(self.test.pixels_NHWC.cpu().numpy(), np.concatenate(ours))


@dataclass(frozen=True, eq=False)
class Decoded:
    """A data set as its source gives it: uint8 pixels (N, H, W, C) by split, before splitting."""

    name: str
    classes: tuple[str, ...]
    flips: bool
    arrays: Mapping[str, np.ndarray]  # x_train, y_train, x_test, y_test and maybe x_val, y_val
    notes: tuple[str, ...] = ()  # what was converted

    @property
    def digest(self) -> str:
        """The SHA-256 of the pixels and labels."""
        digest = hashlib.sha256()
        for key in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[key])
            digest.update(f"{key} {array.dtype} {array.shape}\n".encode())
            digest.update(array.data)
        return digest.hexdigest()
