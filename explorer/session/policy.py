"""Who decides, and how: from measured candidates to the one that is kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.contracts import seeds
from engine.contracts.settings import Settings

LAYER, FILTER = "layer", "filter"


@dataclass(frozen=True)
class Margin:
    """Similarity of the layer candidate minus the filter's, with its bootstrap 95 % interval.

    `too_close` says that the interval holds the point at which the decision would turn.
    """

    value: float
    low: float | None
    high: float | None
    too_close: bool | None


@dataclass(frozen=True)
class Choice:
    """The structure to keep, and why."""

    structure: str
    reason: str


@dataclass(frozen=True)
class Question:
    """What a policy decides on: the parent's name and, by structure, the similarity of each
    candidate that the parent has (None where it was not grown)."""

    parent: str
    similarities: Mapping[str, float | None]
    settings: Settings


Policy = Callable[[Question], Choice]


def margin_of(
    layer: float, filters: float, layer_resamples: Sequence[float],
    filter_resamples: Sequence[float], layer_bonus: float,
) -> Margin:  # fmt: skip
    """The margin and its percentile bootstrap interval from paired resamples."""
    value = layer - filters
    pairs = list(zip(layer_resamples, filter_resamples, strict=True))
    if len(pairs) < 2:
        return Margin(value, None, None, None)
    differences = sorted(a - b for a, b in pairs)
    low, high = _quantile(differences, 0.025), _quantile(differences, 0.975)
    return Margin(value, low, high, low <= -layer_bonus <= high)


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    index = int(position)
    after = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (position - index) * (after - ordered[index])


def by_cka(question: Question) -> Choice:
    """Eq. 3 of the paper: the more similar one; a tie goes to the layer."""
    layer, filters = (question.similarities.get(s) for s in (LAYER, FILTER))
    if layer is None or filters is None:
        return _only(question)
    bonus = question.settings.search.layer_bonus
    more = f" + {bonus:g}" if bonus else ""
    if layer + bonus >= filters:
        return Choice(LAYER, f"CKA {layer:.4f}{more} ≥ {filters:.4f}")
    return Choice(FILTER, f"CKA {layer:.4f}{more} < {filters:.4f}")


def at_random(question: Question) -> Choice:
    """A fair coin, the same for the same run seed and parent."""
    if len(question.similarities) == 1:
        return _only(question)
    coin = random.Random(seeds.derive(question.settings.seed, question.parent, "coin"))
    return Choice(coin.choice((LAYER, FILTER)), "a fair coin")


def layers_first(question: Question) -> Choice:
    """Layers until none is left, then filters (Pons et al., 2024)."""
    structure = LAYER if LAYER in question.similarities else FILTER
    return Choice(structure, f"{structure}s come first" if structure == LAYER else "no layer left")


def layers_only(question: Question) -> Choice:
    """Layers, nothing else."""
    return Choice(LAYER, "only layers")


def filters_only(question: Question) -> Choice:
    """Filters, nothing else."""
    return Choice(FILTER, "only filters")


def _only(question: Question) -> Choice:
    """The one that there is, because the parent has no other or the other was not grown."""
    grown = [s for s, similarity in question.similarities.items() if similarity is not None]
    structure, *_ = grown or question.similarities
    return Choice(structure, why_alone(structure, question.similarities))


def why_alone(structure: str, offered: Iterable[str]) -> str:
    """Why there is nothing to compare a candidate with."""
    others = [other for other in offered if other != structure]
    return f"no {others[0]} candidate was grown" if others else f"only {structure}s are left"


POLICIES: dict[str, Policy] = {
    "cka": by_cka,
    "random": at_random,
    "layers": layers_only,
    "filters": filters_only,
    "layers-first": layers_first,
}


def wanted(policy: str, structures: Sequence[str], question: Question) -> tuple[str, ...]:
    """Which of the proposed structures a policy needs grown: both to compare, else its own."""
    if policy == "cka":
        return tuple(structures)
    if policy == "layers" and LAYER not in structures:
        return ()
    if policy == "filters" and FILTER not in structures:
        return ()
    return (POLICIES[policy](question).structure,)
