"""Mean and deviation of a channel, measured on some of the training images.

Shape legend: B images of a batch, H height, W width, C channels.
"""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.contracts.files import write_text_atomically
from engine.data.folders import NoCacheFolderError, cache_folder
from engine.data.sources.source import Progress
from engine.data.splits import SPLIT_SEED
from engine.data.streaming.data import StreamedImages

SAMPLE = 512  # images
BATCH = 64
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True)
class Statistics:
    """Of pixels scaled to [0, 1], a value a channel; and of which images."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    num_images: int
    of: int

    @property
    def note(self) -> str:
        return (
            f"the mean and deviation of its images are those of {self.num_images:,} of {self.of:,} "
            "training images"
        )


def statistics_of(train: StreamedImages, digest: str, on_progress: Progress | None) -> Statistics:
    """The statistics of a sample that is the same each time; kept on disk by the set's digest."""
    path = _path(digest)
    known = _read(path)
    if known is None:
        known = _measured(train, on_progress)
        _write(path, known)
    return known


def _measured(train: StreamedImages, on_progress: Progress | None) -> Statistics:
    count = min(SAMPLE, len(train))
    chosen_N = np.random.default_rng(SPLIT_SEED).choice(len(train), count, replace=False)
    channels, done = train.shape_HWC[2], 0
    counts_CV = np.zeros((channels, 256), np.int64)  # exact, whatever the order
    for images in train.batches(BATCH, torch.from_numpy(np.sort(chosen_N))):
        pixels_BHWC = images.pixels_NHWC.numpy()
        for channel in range(channels):
            counts_CV[channel] += np.bincount(pixels_BHWC[..., channel].ravel(), minlength=256)
        done += len(images)
        if on_progress is not None:
            on_progress("measuring the images", done, count)
    shares_CV = counts_CV / counts_CV.sum(1, keepdims=True)
    values_V = np.arange(256) / 255
    means_C = shares_CV @ values_V
    variances_C = (shares_CV * (values_V - means_C[:, None]) ** 2).sum(1)
    return Statistics(
        tuple(round(float(mean), 6) for mean in means_C),
        tuple(round(max(math.sqrt(v), LEAST_DEVIATION), 6) for v in variances_C),
        count,
        len(train),
    )


def _path(digest: str) -> Path | None:
    try:
        return cache_folder() / f"statistics-{digest[:32]}.json"
    except NoCacheFolderError:
        return None


def _read(path: Path | None) -> Statistics | None:
    if path is None:
        return None
    try:
        found = json.loads(path.read_text())
        mean, std = (tuple(map(float, found[name])) for name in ("mean", "std"))
        return Statistics(mean, std, int(found["num_images"]), int(found["of"]))
    except (OSError, ValueError, TypeError, KeyError):  # absent, or cut short by a crash
        return None


def _write(path: Path | None, found: Statistics) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(path, json.dumps(vars(found)))
