"""What speaks against a root's figures once it is measured, before hours are spent on it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.checkpoints.claims import claimed_accuracy
from engine.checkpoints.class_order import find_order
from engine.contracts.doubts import Doubt
from engine.contracts.message_text import plain, shown
from engine.contracts.networks import DataDescription
from engine.data import ImageSet
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
    data: DataDescription,
    validation: Evaluation,
    test: Evaluation,
) -> tuple[Doubt, ...]:
    """All doubts about a root that its figures and its file give."""
    found = [
        *_class_order(data, validation),
        *_near_chance(validation),
        *_below_claim(metrics, data.row, test),
    ]
    if is_foreign:
        found += _trained_on_validation(data.row, validation, test)
    return tuple(found)


def doubts_on_splits(data: ImageSet) -> tuple[Doubt, ...]:
    """Doubts where test images are training or validation images too, and where images of a
    person's own that are to decide are training images."""
    found = []
    if shared := data.num_shared():
        words = (
            f"{shared:,} of the {len(data.test):,} test images of {data.name} are among its "
            "training images: test accuracy will be too high"
        )
        found.append(Doubt("test-in-training", words))
    if data.own_validation is not None and (shared := data.num_deciding_shared()):
        words = (
            f"{shared:,} of the {len(data.validation):,} images that decide "
            f"(--validation-from, {plain(data.own_validation.name)}) are among the training images "
            f"of {data.name}: validation accuracy will be too high. Give images that it never "
            "trains on"
        )
        found.append(Doubt("validation-in-training", words))
    return tuple(found)


def _chance(targets_M: Tensor) -> float:
    """The accuracy in percent of always naming the most frequent class."""
    return 100 * int(torch.bincount(targets_M).max()) / len(targets_M)


def _class_order(data: DataDescription, validation: Evaluation) -> list[Doubt]:
    if not data.classes:  # tokens have no order that somebody could have changed
        return []
    labels_M, predicted_M = validation.targets_M.numpy(), validation.predicted_M.numpy()
    order = find_order(labels_M, predicted_M, len(data.classes))
    return [] if order is None else [Doubt("class-order", order.words(data.classes), asks=True)]


def _near_chance(validation: Evaluation) -> list[Doubt]:
    """Where it is not clearly better than guessing, or only a tenth of the way from there."""
    chance, accuracy = _chance(validation.targets_M), validation.accuracy
    count = len(validation.targets_M)
    guesses = binomial_tail(round(accuracy * count / 100), count, chance / 100) > UNLIKELY
    if not guesses and accuracy >= chance + NEAR_CHANCE * (100 - chance):
        return []
    better = "no better than chance" if guesses else "hardly better than chance"
    words = (
        f"its accuracy ({accuracy:.1f} %) is {better} ({chance:.1f} %): "
        "wrong data, another normalisation, another order of the classes, or an untrained network?"
    )
    return [Doubt("chance", words, asks=True)]


def _below_claim(metrics: Mapping[str, float | int], row: str, test: Evaluation) -> list[Doubt]:
    claim = claimed_accuracy(metrics)
    if claim is None:
        return []
    name, percent = claim
    missing, count = percent - test.accuracy, len(test.targets_M)
    error = standard_error(percent, count, test.accuracy, count)
    if missing <= max(STANDARD_ERRORS * error, LEAST_POINTS):
        return []
    words = (
        f"its file says {percent:.1f} % ({shown(name)}), here it has {test.accuracy:.1f} % on "
        f"{count:,} test {row}s: other data, another normalisation or layout, or {row}s that were "
        f"changed{' (JPEG)' if row == 'image' else ''}?"
    )
    far = missing > FAR_BELOW * (percent - _chance(test.targets_M))
    return [Doubt("below-claim", words, asks=far)]


def _trained_on_validation(row: str, validation: Evaluation, test: Evaluation) -> list[Doubt]:
    """A foreign network is not ours to say what it has seen; far more of the validation than of
    the test images right says that it has seen those."""
    gap = validation.accuracy - test.accuracy
    counts = len(validation.targets_M), len(test.targets_M)
    error = standard_error(validation.accuracy, counts[0], test.accuracy, counts[1])
    if gap <= max(STANDARD_ERRORS * error, LEAST_POINTS):
        return []
    words = (
        f"it was trained on the validation {row}s: {validation.accuracy:.1f} % of them are right, "
        f"of the test {row}s {test.accuracy:.1f} %. Validation accuracies of this tree are too "
        "high: compare test accuracies"
        + (
            ", or decide by images that it has not seen: half of the test images "
            "(--validation-from test-half) or your own (--validation-from FILE)"
            if row == "image"
            else ""
        )
    )
    return [Doubt("trained-on-validation", words)]
