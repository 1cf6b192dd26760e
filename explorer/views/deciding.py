"""Which images decide, in words: told wherever a run's figures are."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.codec import decode
from engine.contracts.loaders import FROM_TEST
from engine.contracts.networks import DataDescription, OwnValidation
from engine.contracts.settings import read_settings
from explorer.views.safe_text import safe
from store import Run

_DIGITS = 12  # of a digest, for people


@dataclass(frozen=True)
class _Deciding:
    """What of a run's data says which of them decide."""

    num_validation: int = 0
    num_test: int = 0
    own_validation: OwnValidation | None = None


def deciding_words(data: DataDescription | _Deciding, validation_from: str) -> str:
    """Which images decide; empty where they are the data's own."""
    own = data.own_validation
    if own is not None:
        return (
            f"decided by the {data.num_validation:,} images of {safe(own.name)} "
            f"(--validation-from, digest {safe(own.digest[:_DIGITS])}), not by images of the data"
        )
    if validation_from == FROM_TEST:
        return (
            f"decided by {data.num_validation:,} of the test images (--validation-from test-half); "
            f"test accuracies are of the other {data.num_test:,}"
        )
    return ""


def deciding_in(run: Run) -> str:
    """Which images decide in a stored run. Raises FormatError."""
    settings = read_settings(run.settings)
    return deciding_words(decode(_Deciding, run.data, "data"), settings.data.validation_from)
