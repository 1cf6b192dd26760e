"""What speaks against a root's figures once it is measured, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from engine.checkpoints.claims import claimed_accuracy
from engine.checkpoints.class_order import find_order
from engine.contracts.doubts import Doubt
from engine.contracts.message_text import shown
from engine.data import ImageData, Images
from engine.data.splits import num_shared
from engine.measures.accuracy import Evaluation
from engine.measures.significance import binomial_tail, standard_error

STANDARD_ERRORS = 3.0
LEAST_POINTS = 2.0  # of a difference that is told, however many images there are
FAR_BELOW = 0.25  # of the way from what the file says down to chance: then work waits
NEAR_CHANCE = 0.1  # of the way from chance to 100 %
UNLIKELY = 0.01


def doubts_of(
    metrics: Mapping[str, float | int],
    is_foreign: bool,
    data: ImageData,
    validation: Evaluation,
    test: Evaluation,
) -> tuple[Doubt, ...]:
    """All doubts about a root that its figures and its file give."""
    found = [
        *_class_order(data, validation),
        *_near_chance(data, validation),
        *_below_claim(metrics, data, test),
    ]
    if is_foreign:
        found += _trained_on_validation(data, validation, test)
    return tuple(found)


def doubts_on_splits(data: ImageData) -> tuple[Doubt, ...]:
    """A doubt where test images are training or validation images too."""
    ours_NHWC = np.concatenate([split.pixels_NHWC.cpu() for split in (data.train, data.validation)])
    shared = num_shared(data.test.pixels_NHWC.cpu().numpy(), ours_NHWC)
    if shared == 0:
        return ()
    words = (
        f"{shared:,} of the {len(data.test):,} test images of {data.name} are among its training "
        "images: test accuracy will be too high"
    )
    return (Doubt("test-in-training", words),)


def _chance(images: Images) -> float:
    """The accuracy in percent of always naming the most frequent class."""
    return 100 * int(torch.bincount(images.labels_N).max()) / len(images)


def _class_order(data: ImageData, validation: Evaluation) -> list[Doubt]:
    labels_N = data.validation.labels_N.cpu().numpy()
    order = find_order(labels_N, validation.predicted_N.numpy(), len(data.classes))
    return [] if order is None else [Doubt("class-order", order.words(data.classes), asks=True)]


def _near_chance(data: ImageData, validation: Evaluation) -> list[Doubt]:
    """Where it is not clearly better than guessing, or only a tenth of the way from there."""
    chance, accuracy = _chance(data.validation), validation.accuracy
    count = len(data.validation)
    guesses = binomial_tail(round(accuracy * count / 100), count, chance / 100) > UNLIKELY
    if not guesses and accuracy >= chance + NEAR_CHANCE * (100 - chance):
        return []
    better = "no better than chance" if guesses else "hardly better than chance"
    words = (
        f"its accuracy ({accuracy:.1f} %) is {better} ({chance:.1f} %): "
        "wrong data, another normalisation, another order of the classes, or an untrained network?"
    )
    return [Doubt("chance", words, asks=True)]


def _below_claim(
    metrics: Mapping[str, float | int], data: ImageData, test: Evaluation
) -> list[Doubt]:
    claim = claimed_accuracy(metrics)
    if claim is None:
        return []
    name, percent = claim
    missing = percent - test.accuracy
    error = standard_error(percent, len(data.test), test.accuracy, len(data.test))
    if missing <= max(STANDARD_ERRORS * error, LEAST_POINTS):
        return []
    words = (
        f"its file says {percent:.1f} % ({shown(name)}), here it has {test.accuracy:.1f} % on "
        f"{len(data.test):,} test images: other data, another normalisation or layout, or images "
        "that were changed (JPEG)?"
    )
    far = missing > FAR_BELOW * (percent - _chance(data.test))
    return [Doubt("below-claim", words, asks=far)]


def _trained_on_validation(
    data: ImageData, validation: Evaluation, test: Evaluation
) -> list[Doubt]:
    """A foreign network is not ours to say what it has seen; far more of the validation than of
    the test images right says that it has seen those."""
    gap = validation.accuracy - test.accuracy
    counts = len(data.validation), len(data.test)
    error = standard_error(validation.accuracy, counts[0], test.accuracy, counts[1])
    if gap <= max(STANDARD_ERRORS * error, LEAST_POINTS):
        return []
    words = (
        f"it was trained on the validation images: {validation.accuracy:.1f} % of them are right, "
        f"of the test images {test.accuracy:.1f} %. Validation accuracies of this tree are too "
        "high; compare test accuracies"
    )
    return [Doubt("trained-on-validation", words)]
