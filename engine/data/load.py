"""From what `--data` says to a data set in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import torch

from engine.contracts.errors import DataError
from engine.data.cache import decoded
from engine.data.images import Decoded, ImageData, Images
from engine.data.splits import SPLIT_SEED, hold_out_validation, stratified_sample

Progress = Callable[[str, int, int], None]  # phase, done, total


def load(
    source: str, *, train_limit: int | None = None, on_progress: Progress | None = None
) -> ImageData:
    """The data set that `source` names: a known name, a folder or .zip of images, or an .npz.

    `train_limit` keeps a stratified subset of the training images; the validation split is cut
    off first, so that it stays the same at every limit. Raises DataError.
    """
    raw = decoded(source, on_progress)
    _check(raw)
    x_train, y_train = raw.arrays["x_train"], raw.arrays["y_train"]
    if "x_val" in raw.arrays:
        x_val, y_val = raw.arrays["x_val"], raw.arrays["y_val"]
    else:
        keep, held_out = hold_out_validation(y_train)
        x_val, y_val = x_train[held_out], y_train[held_out]
        x_train, y_train = x_train[keep], y_train[keep]
    mean, std = _channel_statistics(x_train)
    if train_limit is not None and train_limit < len(y_train):
        subset = stratified_sample(y_train, train_limit, SPLIT_SEED)
        x_train, y_train = x_train[subset], y_train[subset]
    digest = hashlib.sha256(f"{raw.digest} {len(y_train)} {len(y_val)} {SPLIT_SEED}".encode())
    return ImageData(
        name=raw.name,
        classes=raw.classes,
        mean=mean,
        std=std,
        flips=raw.flips,
        train=_images(x_train, y_train),
        validation=_images(x_val, y_val),
        test=_images(raw.arrays["x_test"], raw.arrays["y_test"]),
        digest=digest.hexdigest(),
    )


def _images(pixels_NHWC: np.ndarray, labels_N: np.ndarray) -> Images:
    return Images(
        torch.from_numpy(np.ascontiguousarray(pixels_NHWC)),
        torch.from_numpy(np.ascontiguousarray(labels_N, dtype=np.int64)),
    )


def _channel_statistics(pixels_NHWC: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    # Counting pixel values is exact and needs no float copy of the whole set.
    values = np.arange(256) / 255
    means, stds = [], []
    for channel in range(pixels_NHWC.shape[3]):
        counts = np.bincount(pixels_NHWC[..., channel].ravel(), minlength=256)
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        means.append(round(mean, 6))
        stds.append(round(max(variance**0.5, 1e-3), 6))
    return tuple(means), tuple(stds)


def _check(raw: Decoded) -> None:
    num_classes = len(raw.classes)
    if num_classes < 2:
        raise DataError(f"{raw.name} has {num_classes} class; at least two are needed")
    shapes = {key: raw.arrays[key].shape[1:] for key in raw.arrays if key.startswith("x_")}
    if len(set(shapes.values())) > 1:
        raise DataError(f"the splits of {raw.name} differ in image size: {shapes}")
    for key, labels_N in raw.arrays.items():
        if not key.startswith("y_"):
            continue
        split = key[2:]
        if len(labels_N) < num_classes:
            raise DataError(
                f"split {split!r} of {raw.name} has {len(labels_N)} images, fewer than "
                f"its {num_classes} classes"
            )
        if len(labels_N) != len(raw.arrays[f"x_{split}"]):
            raise DataError(f"split {split!r} of {raw.name}: as many labels as images are needed")
        low, high = int(labels_N.min()), int(labels_N.max())
        if low < 0 or high >= num_classes:
            raise DataError(
                f"labels of split {split!r} run from {low} to {high}, but {raw.name} has "
                f"{num_classes} classes; labels must be 0 to {num_classes - 1}"
            )
