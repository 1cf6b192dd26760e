"""The lowest scores wherever they are."""

from __future__ import annotations

import numpy as np

from engine.pruning.allocations.offer import Offer, Row


def lowest(offer: Offer) -> list[Row]:
    """Each unit when its score is the lowest that is left (Gupta et al., 2022); of equals the one
    nearest the input. With --keep-fraction no group falls below a floor, as in their paper."""
    scores = offer.scores.units
    return [
        Row((g.path,), np.sort(np.asarray(scores[g.path], float))[: offer.rooms[g.path]])
        for g in offer.groups
    ]
