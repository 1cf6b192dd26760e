"""Which mean and standard deviation a network was trained with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from engine.checkpoints import LoadedNetwork, preset_normalisations
from engine.contracts.errors import DataError
from engine.contracts.networks import Architecture, DataDescription, Execution
from engine.data import ImageData
from engine.data.splits import num_shared, stratified_sample
from engine.measures.accuracy import evaluate
from engine.runtime.progress import Monitor

TRIAL_IMAGES = 1_000
TRIAL_SEED = 0


@dataclass(frozen=True)
class Normalisation:
    """Mean and std a channel, where they come from, and what the user should know about it."""

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...] = ()


def choose(
    loaded: LoadedNetwork, data: ImageData, execution: Execution, monitor: Monitor
) -> Normalisation:
    """What the checkpoint says; else the usual preset with the best accuracy on training images.

    Training images, so that neither validation nor test images had a part in the choice.
    """
    if loaded.data is not None and loaded.data.mean:
        return Normalisation("checkpoint", loaded.data.mean, loaded.data.std)
    count = min(TRIAL_IMAGES, len(data.train))
    chosen_N = stratified_sample(data.train.labels_N.numpy(), count, TRIAL_SEED)
    images = data.train.take(torch.from_numpy(chosen_N))
    channels = data.image_shape_HWC[2]
    presets = {
        name: values
        for name, values in preset_normalisations().items()
        if len(values[0]) == channels
    }
    presets[f"{data.name} statistics"] = (data.mean, data.std)
    accuracies = {}
    for name, (mean, std) in presets.items():
        trial = data.with_normalisation(tuple(mean), tuple(std))
        accuracies[name] = evaluate(
            loaded.model, images, trial, execution, monitor=monitor, phase="normalisation"
        ).accuracy
    best = max(accuracies, key=accuracies.__getitem__)
    table = ", ".join(f"{name} {value:.1f} %" for name, value in accuracies.items())
    note = f"the checkpoint names no normalisation; took {best}, the best of: {table}"
    monitor.note(note)
    mean, std = presets[best]
    return Normalisation(best, tuple(mean), tuple(std), (note,))


def check_fit(architecture: Architecture, known: DataDescription | None, data: ImageData) -> None:
    """Raises DataError when the network's classes or channels are not those of the data."""
    arguments = architecture.arguments
    channels = data.image_shape_HWC[2]
    if arguments.get("num_classes", len(data.classes)) != len(data.classes):
        raise DataError(
            f"the network tells {arguments['num_classes']} classes apart, {data.name} has "
            f"{len(data.classes)}; give the data it was trained on with --data"
        )
    if arguments.get("in_channels", channels) != channels:
        raise DataError(
            f"the network takes images of {arguments['in_channels']} channels, {data.name} has "
            f"{channels}; give the data it was trained on with --data"
        )
    if known is not None and known.classes not in ((), tuple(data.classes)):
        raise DataError(
            f"the classes of {data.name} are not those the network was trained with "
            f"({', '.join(known.classes[:3])}, …); give the data it was trained on with --data"
        )


def notes_on_accuracy(accuracy: float, data: ImageData) -> tuple[str, ...]:
    """A warning where an accuracy in percent is about that of guessing."""
    chance = 100 / len(data.classes)
    if accuracy >= 1.5 * chance:
        return ()
    return (
        f"its accuracy ({accuracy:.1f} %) is no better than chance ({chance:.1f} %): "
        "wrong data, another order of the classes, or an untrained network?",
    )


def notes_on_splits(data: ImageData) -> tuple[str, ...]:
    """A warning where test images are training or validation images too."""
    ours_NHWC = np.concatenate([split.pixels_NHWC.cpu() for split in (data.train, data.validation)])
    shared = num_shared(data.test.pixels_NHWC.cpu().numpy(), ours_NHWC)
    if shared == 0:
        return ()
    return (
        f"{shared:,} of the {len(data.test):,} test images of {data.name} are among its training "
        "images: test accuracy will be too high",
    )
