"""Who decides, and how: from measured candidates to those that are kept.

A policy is a class (or an object) with the three members of `Policy`, a row in `POLICIES`, and its
name among the choices of the setting (`engine.contracts.setting_sections.POLICIES`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from engine.contracts import seeds
from engine.contracts.edits import LAYER
from engine.contracts.methods import similarity_called
from engine.contracts.settings import Settings

ANY = "structure"
USER = "user"  # who decides where no policy and no search does


@dataclass(frozen=True)
class Margin:
    """One candidate's similarity minus another's (the layer's minus the filter's), with its
    bootstrap 95 % interval.

    `too_close` says that the interval holds the point at which the decision would turn.
    """

    value: float
    low: float | None
    high: float | None
    too_close: bool | None


@dataclass(frozen=True)
class Choice:
    """The structures to keep, the one that is suggested first, and why."""

    kept: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Question:
    """What a policy decides on: the parent's name and, by structure, the similarity of each
    candidate that the parent has (None where it was not grown)."""

    parent: str
    similarities: Mapping[str, float | None]
    settings: Settings


class Policy(Protocol):
    """One way to decide; the same question always gets the same answer.

    At least one structure is offered in a question, and at least one kept in an answer, all of
    them among those that are offered, though not always among those that were grown.
    """

    @property
    def removes(self) -> str:
        """What it lets be removed, in words: a tree ends when no such thing is left."""
        ...

    def wanted(self, question: Question) -> tuple[str, ...]:
        """The offered structures whose candidates it needs measured; none ends the tree."""
        ...

    def choose(self, question: Question) -> Choice:
        """What to keep."""
        ...


class MostSimilar:
    """Eq. 3 of the paper: the most similar one; a tie goes to the layer."""

    removes: ClassVar = ANY

    def wanted(self, question: Question) -> tuple[str, ...]:
        return tuple(question.similarities)

    def choose(self, question: Question) -> Choice:
        measured = {s: value for s, value in question.similarities.items() if value is not None}
        if len(measured) < 2:
            return _only(question)
        bonus = question.settings.search.layer_bonus
        first, *others = sorted(measured, key=lambda structure: structure != LAYER)
        title = similarity_called(question.settings.similarity.measure).title
        shown = f"{title} {measured[first]:.4f}"
        if first == LAYER:
            shown += f" + {bonus:g}" if bonus else ""
            measured[LAYER] += bonus
        best = first
        for other in others:
            if not measured[best] >= measured[other]:
                best = other
        against = others if best == first else [best]
        sign = "≥" if best == first else "<"
        told = ", ".join(f"{question.similarities[structure]:.4f}" for structure in against)
        return Choice((best,), f"{shown} {sign} {told}")


class FairCoin:
    """A fair coin, the same for the same run seed and parent."""

    removes: ClassVar = ANY

    def wanted(self, question: Question) -> tuple[str, ...]:
        return self.choose(question).kept

    def choose(self, question: Question) -> Choice:
        if len(question.similarities) == 1:
            return _only(question)
        coin = random.Random(seeds.derive(question.settings.seed, question.parent, "coin"))
        sides = sorted(question.similarities, key=lambda structure: structure != LAYER)
        return Choice((coin.choice(sides),), "a fair coin")


class LayersFirst:
    """Layers until none is left, then filters (Pons et al., 2024)."""

    removes: ClassVar = ANY

    def wanted(self, question: Question) -> tuple[str, ...]:
        return self.choose(question).kept

    def choose(self, question: Question) -> Choice:
        if LAYER in question.similarities:
            return Choice((LAYER,), "layers come first")
        return Choice((next(iter(question.similarities)),), "no layer left")


@dataclass(frozen=True)
class Only:
    """Layers and nothing else, or nothing but units (filters, heads, neurons); where a person grew
    others alone, one of those."""

    layers: bool

    @property
    def removes(self) -> str:
        return LAYER if self.layers else "filter or other unit"

    def wanted(self, question: Question) -> tuple[str, ...]:
        return tuple(s for s in question.similarities if (s == LAYER) is self.layers)[:1]

    def choose(self, question: Question) -> Choice:
        wanted = self.wanted(question)
        return Choice(wanted, f"only {wanted[0]}s") if wanted else _only(question)


def _only(question: Question) -> Choice:
    """The one that there is, because the parent has no other or the other was not grown."""
    grown = [s for s, similarity in question.similarities.items() if similarity is not None]
    structure, *_ = grown or question.similarities
    return Choice((structure,), why_alone(structure, question.similarities))


def why_alone(structure: str, offered: Iterable[str]) -> str:
    """Why there is nothing to compare a candidate with."""
    others = [other for other in offered if other != structure]
    return f"no {others[0]} candidate was grown" if others else f"only {structure}s are left"


POLICIES: Mapping[str, Policy] = {
    "cka": MostSimilar(),
    "random": FairCoin(),
    "layers": Only(layers=True),
    "filters": Only(layers=False),
    "layers-first": LayersFirst(),
}


# ------------------------------------------------------------ how sure a decision is


def margin_of(
    first: float, second: float, first_resamples: Sequence[float],
    second_resamples: Sequence[float], bonus: float,
) -> Margin:  # fmt: skip
    """The margin of two similarities, `bonus` being the first one's, and its percentile bootstrap
    interval from paired resamples."""
    value = first - second
    pairs = list(zip(first_resamples, second_resamples, strict=True))
    if len(pairs) < 2:
        return Margin(value, None, None, None)
    differences = sorted(a - b for a, b in pairs)
    low, high = _quantile(differences, 0.025), _quantile(differences, 0.975)
    return Margin(value, low, high, low <= -bonus <= high)


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    index = int(position)
    after = ordered[min(index + 1, len(ordered) - 1)]
    return ordered[index] + (position - index) * (after - ordered[index])
