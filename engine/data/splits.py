"""Splits and subsets: stratified by class, seeded, the same for every run of the same data."""

from __future__ import annotations

import hashlib

import numpy as np

from engine.contracts.errors import DataError
from engine.contracts.message_text import plain

VALIDATION_SHARE = 0.1
VALIDATION_MOST = 5_000
# Not the run's seed: a root trained by us must never have seen the validation images of any
# later tree, whatever that tree's seed is.
SPLIT_SEED = 2506


def stratified_sample(labels_N: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Sorted indices of `count` images, each class in its share (largest remainders first).

    Raises DataError when there are fewer images than asked for or fewer than classes.
    """
    if count > len(labels_N):
        raise DataError(f"asked for {count} images, but there are only {len(labels_N)}")
    classes, sizes = np.unique(labels_N, return_counts=True)
    if count < len(classes):
        raise DataError(f"{count} images cannot hold one of each of the {len(classes)} classes")
    shares = sizes * count / len(labels_N)
    quotas = np.floor(shares).astype(int)
    by_remainder = np.argsort(quotas - shares, kind="stable")
    quotas[by_remainder[: count - quotas.sum()]] += 1
    random = np.random.default_rng(seed)
    chosen = [
        random.choice(np.flatnonzero(labels_N == c), quota, replace=False)
        for c, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(chosen))


def sample_per_class(labels_N: np.ndarray, per_class: int, seed: int) -> np.ndarray:
    """Shuffled indices of up to `per_class` images of every class."""
    random = np.random.default_rng(seed)
    chosen = []
    for c in np.unique(labels_N):
        members = np.flatnonzero(labels_N == c)
        chosen.append(random.choice(members, min(per_class, len(members)), replace=False))
    return random.permutation(np.concatenate(chosen))


def num_held_out(num_train: int, num_classes: int) -> int:
    """How many training images are taken out to decide by: 10 %, at most 5,000."""
    return max(num_classes, min(VALIDATION_MOST, round(num_train * VALIDATION_SHARE)))


def hold_out_validation(labels_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the validation images."""
    count = num_held_out(len(labels_N), len(np.unique(labels_N)))
    validation = stratified_sample(labels_N, count, SPLIT_SEED)
    keep = np.ones(len(labels_N), dtype=bool)
    keep[validation] = False
    return np.flatnonzero(keep), validation


def apart_from_validation(name: str, labels_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`hold_out_validation` of a data set of that name. Raises DataError where nothing is left to
    train on."""
    keep, held_out = hold_out_validation(labels_N)
    if not len(keep):
        raise DataError(
            f"{plain(name)} has {len(labels_N)} training images, and none are left when "
            "validation images are taken out of them; add some, or have train, val and test"
        )
    return keep, held_out


def halves_of_test(name: str, labels_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the test images to decide by and of those to report by: a stratified half each.

    Raises DataError where they are too few.
    """
    num_classes = len(np.unique(labels_N))
    if len(labels_N) < 2 * num_classes:
        raise DataError(
            f"{plain(name)} has {len(labels_N)} test images of {num_classes} classes; half of them "
            "cannot decide (--validation-from test-half): that takes two of each class"
        )
    decide = stratified_sample(labels_N, len(labels_N) // 2, SPLIT_SEED)
    report = np.ones(len(labels_N), dtype=bool)
    report[decide] = False
    return decide, np.flatnonzero(report)


def halves_in_words(num_deciding: int, num_reporting: int) -> str:
    """What is told wherever the data are."""
    return (
        f"decided by {num_deciding:,} of the test images (--validation-from test-half); test "
        f"accuracies are of the other {num_reporting:,}"
    )


def decided_by(name: str, count: int, num_passed_over: int = 0) -> str:
    """What is told wherever the data are."""
    passed_over = (
        f"; the {num_passed_over:,} validation images of the data are not used"
        if num_passed_over
        else ""
    )
    return f"decided by {count:,} images of {plain(name)} (--validation-from){passed_over}"


def num_shared(pixels_NHWC: np.ndarray, others_NHWC: np.ndarray) -> int:
    """How many of the images are, pixel for pixel, among the others too."""
    known = {_digest(image) for image in others_NHWC}
    return sum(_digest(image) in known for image in pixels_NHWC)


def _digest(image_HWC: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image_HWC).data, digest_size=16).digest()
