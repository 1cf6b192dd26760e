"""The accuracy that a file itself names, beside which what is measured can be held."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Names of an accuracy on images that were not trained on, as training scripts write them; those
# that say so come first, then the best of a training, then the last epoch's.
_NAMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(best_)?test_?(acc(uracy)?|prec|top)_?1?",
        r"best_?(prec|acc|top|val_?acc|val_?top)_?@?1?",
        r"best_?(val(id(ation)?)?_?)?accuracy",
        r"(prec|acc|top)_?@?1",
        r"acc(uracy)?|(val(id(ation)?)?|eval)_?acc(uracy)?_?1?",
    )
)


def claimed_accuracy(metrics: Mapping[str, float | int]) -> tuple[str, float] | None:
    """The name and the percentage of the accuracy among a file's numbers; None without one.

    Of numbers in a mapping beside the weights the name is its last part (`metrics.acc1`).
    """
    for pattern in _NAMES:
        for name, value in metrics.items():
            if pattern.fullmatch(name.rpartition(".")[2].rpartition("/")[2].lower()):
                percent = 100 * value if 0 < value <= 1 else float(value)
                if 0 < percent <= 100:
                    return name, percent
    return None
