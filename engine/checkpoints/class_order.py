"""Whether a network's classes are those of the data in another order.

Nothing in the tensors names a class. Where the network sorts the images well, but under other
numbers, its confusions give the order away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.contracts.message_text import listed, shown

LEAST_GAIN = 25.0  # points of accuracy: far more than a best match of chance confusions gains
IMAGES_A_CLASS = 5


@dataclass(frozen=True, eq=False)
class ClassOrder:
    """`places[k]` is the class of the data that the network's output k stands for."""

    places: tuple[int, ...]
    accuracy: float  # in percent, with each class put where it belongs
    as_given: float  # in percent
    is_clear: bool  # whether most images of every class are where their class belongs

    def right(self, labels_N: np.ndarray, predicted_N: np.ndarray) -> np.ndarray:
        """Which images are right in this order."""
        return np.asarray(np.array(self.places)[predicted_N] == labels_N)

    def words(self, classes: Sequence[str]) -> str:
        """What a person should know, and do."""
        told = (
            "its classes seem to be in another order than those of the data: with each put where "
            f"it belongs {self.accuracy:.1f} % are right instead of {self.as_given:.1f} %"
        )
        if not self.is_clear:
            return f"{told}; sort the class folders as they were when it was trained"
        order = [classes[place] for place in self.places]
        if order == sorted(classes):
            how = "its order is that of the alphabet (0, 1, 10, 2, …)"
        elif all(name.isdecimal() for name in classes) and order == sorted(classes, key=int):
            how = "its order is that of the numbers (0, 1, 2, …, 10)"
        else:
            moved = [k for k, place in enumerate(self.places) if k != place]
            how = "its output " + listed(f"{k} is {shown(order[k])}" for k in moved)
        return f"{told}; {how}. Name the class folders so that they sort in that order"


def find_order(
    labels_N: np.ndarray, predicted_N: np.ndarray, num_classes: int
) -> ClassOrder | None:
    """The order in which far more images are right than as they are; None where there is none."""
    if num_classes < 2 or len(labels_N) < IMAGES_A_CLASS * num_classes:
        return None
    counts_KK = np.zeros((num_classes, num_classes), dtype=np.int64)  # [predicted, label]
    np.add.at(counts_KK, (predicted_N, labels_N), 1)
    places = _best_match(counts_KK)
    matched = 100 * int(counts_KK[np.arange(num_classes), places].sum()) / len(labels_N)
    as_given = 100 * int(np.trace(counts_KK)) / len(labels_N)
    if matched - as_given < LEAST_GAIN:
        return None
    shares_K = counts_KK[np.arange(num_classes), places] / np.maximum(counts_KK.sum(0)[places], 1)
    return ClassOrder(tuple(map(int, places)), matched, as_given, bool((shares_K > 0.5).all()))


def _best_match(counts_KK: np.ndarray) -> np.ndarray:
    """A label for each output, the surest pairs first."""
    num_classes = len(counts_KK)
    places_K = np.full(num_classes, -1)
    taken = np.zeros(num_classes, dtype=bool)
    for flat in np.argsort(-counts_KK, axis=None, kind="stable"):
        output, label = divmod(int(flat), num_classes)
        if places_K[output] < 0 and not taken[label]:
            places_K[output], taken[label] = label, True
    return places_K
