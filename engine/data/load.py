"""From what `--data` says to a data set in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from engine.contracts.errors import SettingsError
from engine.contracts.loaders import FROM_DATA, FROM_FILE, FROM_TEST, MEMORY, STREAMING
from engine.contracts.networks import Reading
from engine.data import own_validation
from engine.data.cache import decoded, decoded_of
from engine.data.checks import check
from engine.data.images import Decoded, ImageData, Images
from engine.data.sources import open_source
from engine.data.sources.resizing import target_of
from engine.data.splits import (
    SPLIT_SEED,
    apart_from_validation,
    halves_in_words,
    halves_of_test,
    stratified_sample,
)
from engine.data.streaming import StreamedData, Transforms, Way, chosen_loader, open_streamed

Progress = Callable[[str, int, int], None]  # phase, done, total
ImageSet = ImageData | StreamedData


def load(
    source: str,
    *,
    train_limit: int | None = None,
    image_size: int | None = None,
    resize: int | None = None,
    on_progress: Progress | None = None,
    as_before: bool = False,
) -> ImageData:
    """The data set that `source` names, in memory: a known name, a folder or .zip of images, a
    folder of tar shards, or an .npz.

    `train_limit` keeps a stratified subset of the training images; the validation split is cut
    off first, so that it stays the same at every limit. With `image_size` the shorter side of
    every image becomes `resize` pixels (else as many), and the middle square is cut out.
    `as_before` reads folders and zips as earlier versions did, for trees that were grown on them.
    Raises DataError, and SettingsError for sizes that do not fit.
    """
    size = target_of(image_size, resize)
    raw = decoded(source, on_progress, size=size, as_before=as_before)
    return _in_memory(raw, train_limit)


def open_data(
    source: str,
    reading: Reading,
    *,
    on_progress: Progress | None = None,
    transforms: Transforms | None = None,
    validation: str = "",
) -> ImageSet:
    """The data set that `source` names, in memory or streamed, as it is to be read; `auto` chooses.

    `transforms` is what the reading names, where that may be called; `validation` is where a
    person's own validation images lie, where it says that these decide. Raises DataError, and
    SettingsError for settings that do not fit each other.
    """
    size, loader = target_of(reading.image_size, reading.resize), reading.loader
    if reading.transforms is not None:
        if loader == MEMORY:
            raise SettingsError(
                "--transforms prepares each image when it is needed; it goes with --loader "
                "streaming, not memory"
            )
        loader = STREAMING
    opened = open_source(source, on_progress, size=size)
    chosen = chosen_loader(loader, opened, size)
    if chosen.loader == MEMORY or opened.images is None:
        raw = decoded_of(opened, on_progress, size=size)
        source_of_own = own_validation.opened(validation, reading, raw.classes, on_progress, size)
        own = None
        if source_of_own is not None:
            check(raw)
            own = own_validation.arrays_of(source_of_own, raw, on_progress, size)
        return _in_memory(raw, reading.train_limit, reading.validation_from, own)
    way = Way(size, reading.transforms, transforms)
    collected = opened.images.collected
    deciding = own_validation.opened(validation, reading, collected.classes, on_progress, size)
    if deciding is not None:
        way = replace(way, deciding=own_validation.encoded_of(deciding, collected.name))
    data = open_streamed(opened.images, way, reading, on_progress)
    told = () if chosen.note is None else (chosen.note,)
    return replace(data, notes=(*told, *data.notes))


def _in_memory(
    raw: Decoded,
    train_limit: int | None,
    validation_from: str = FROM_DATA,
    own: own_validation.ArraysThatDecide | None = None,
) -> ImageData:
    check(raw)
    x_train, y_train = raw.arrays["x_train"], raw.arrays["y_train"]
    x_test, y_test = raw.arrays["x_test"], raw.arrays["y_test"]
    notes, how = raw.notes, ""
    if own is not None:
        x_val, y_val = own.pixels_NHWC, own.labels_N
        notes, how = (*notes, *own.notes), f" {FROM_FILE} {own.told.digest}"
    elif validation_from == FROM_TEST:
        decide, report = halves_of_test(raw.name, y_test)
        x_val, y_val = x_test[decide], y_test[decide]
        x_test, y_test = x_test[report], y_test[report]
        notes, how = (*notes, halves_in_words(len(decide), len(report))), f" {FROM_TEST}"
    elif "x_val" in raw.arrays:
        x_val, y_val = raw.arrays["x_val"], raw.arrays["y_val"]
    else:
        keep, held_out = apart_from_validation(raw.name, y_train)
        x_val, y_val = x_train[held_out], y_train[held_out]
        x_train, y_train = x_train[keep], y_train[keep]
    mean, std = _channel_statistics(x_train)
    if train_limit is not None and train_limit < len(y_train):
        subset = stratified_sample(y_train, train_limit, SPLIT_SEED)
        x_train, y_train = x_train[subset], y_train[subset]
    told = f"{raw.digest} {len(y_train)} {len(y_val)} {SPLIT_SEED}{how}"
    digest = hashlib.sha256(told.encode())
    return ImageData(
        name=raw.name,
        classes=raw.classes,
        mean=mean,
        std=std,
        flips=raw.flips,
        train=_images(x_train, y_train),
        validation=_images(x_val, y_val),
        test=_images(x_test, y_test),
        digest=digest.hexdigest(),
        notes=notes,
        own_validation=None if own is None else own.told,
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
