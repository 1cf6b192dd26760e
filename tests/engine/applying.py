"""Where criteria apply: a network that one refuses is none that it fails on."""

from __future__ import annotations

import pytest

from engine.contracts.errors import CriterionError
from engine.contracts.networks import Scores
from engine.pruning.criteria import CRITERIA

# Criteria that may refuse a network, and what they then say of it.
REFUSING = {
    "bn-scale": "has none; another one",
    "hrank": "ranks of feature maps.*another one",
    "lrp": "piecewise linear.*another one",
    "beta-rank": "another one",
}


def scores_or_refusal(name: str, *args, **kwargs) -> Scores | None:
    """A criterion's scores; None where it refuses the network, as it may, with a remedy."""
    if name not in REFUSING:
        return CRITERIA[name](*args, **kwargs)
    try:
        return CRITERIA[name](*args, **kwargs)
    except CriterionError as error:
        with pytest.raises(CriterionError, match=REFUSING[name]):
            raise error from None
        return None
