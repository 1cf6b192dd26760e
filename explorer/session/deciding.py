"""What a policy would keep of a parent's candidates, and by what margin. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.contracts.edits import LAYER
from engine.contracts.settings import Settings
from explorer.session.policy import POLICIES, Margin, Question, margin_of, why_alone
from store import Node

Resamples = Callable[[Node], Sequence[float]]


@dataclass(frozen=True)
class Confirmed:
    """What the similarities of two candidates are over several seeds of their recoveries: their
    means, the margin by the seeds, how many these are, and how often was looked at most."""

    means: tuple[float, float]
    margin: Margin
    seeds: int
    looks: int

    @property
    def words(self) -> str:
        """What a decision's reason says of it."""
        ended = "still too close" if self.margin.too_close else "clear"
        return (
            f"over {self.seeds} seeds: {ended} (Student's t at 5 %, by Bonferroni for "
            f"{self.looks} looks)"
        )


def never(pair: tuple[Node, Node]) -> Confirmed | None:
    """Of candidates that recovered once."""
    return None


@dataclass(frozen=True)
class Suggestion:
    """The candidates that the run's policy would keep, at least one, why, and by what margin."""

    kept: tuple[Node, ...]
    reason: str
    margin: Margin | None

    @property
    def node(self) -> Node:
        """The one that is suggested first."""
        return self.kept[0]


def suggest(
    parent: Node,
    candidates: Iterable[Node],
    offered: Iterable[Node],
    settings: Settings,
    resamples: Resamples,
    confirmed: Callable[[tuple[Node, Node]], Confirmed | None] = never,
) -> Suggestion:
    """What the policy says of candidates that are ready; at least one must be.

    `offered` are all children of the parent, ready or not. Of several candidates of one structure
    the most similar one stands for it. Where two recovered with several seeds, their means count.
    """
    champions = champions_of(candidates)
    structures = dict.fromkeys(node.structure for node in offered)
    measured = {s: node.metrics.get("similarity") for s, node in champions.items()}
    pair = contenders(champions.values(), settings)
    again = None if pair is None else confirmed(pair)
    if pair is not None and again is not None:
        measured |= {n.structure: mean for n, mean in zip(pair, again.means, strict=True)}
    question = Question(parent.name, structures | measured, settings)
    choice = POLICIES[settings.search.policy].choose(question)
    kept = tuple(champions[structure] for structure in choice.kept if structure in champions)
    if not kept:  # it would take what nobody grew
        (structure, node), *_ = champions.items()
        return Suggestion((node,), why_alone(structure, structures), None)
    if again is not None:
        return Suggestion(kept, f"{choice.reason} {again.words}", again.margin)
    margin = margin_between(champions.values(), settings, resamples)
    return Suggestion(kept, choice.reason, margin)


def champions_of(candidates: Iterable[Node]) -> dict[str, Node]:
    """The most similar candidate of each structure."""
    champions: dict[str, Node] = {}
    for node in candidates:
        best = champions.get(node.structure)
        if best is None or _similarity(node) > _similarity(best):
            champions[node.structure] = node
    return champions


def margin_between(
    candidates: Iterable[Node], settings: Settings, resamples: Resamples
) -> Margin | None:
    """The margin between the two most similar candidates of different structures: the layer's
    minus the other's, or in the order they were made. None where there is only one."""
    pair = contenders(candidates, settings)
    if pair is None:
        return None
    first, second = pair
    return margin_of(
        _similarity(first),
        _similarity(second),
        resamples(first),
        resamples(second),
        bonus_of(first, settings),
    )


def contenders(candidates: Iterable[Node], settings: Settings) -> tuple[Node, Node] | None:
    """The two most similar candidates: the layer's first, or in the order they were made."""
    measured = [
        node for node in candidates if node.state == "ready" and "similarity" in node.metrics
    ]
    closest = sorted(measured, key=lambda node: _contended(node, settings), reverse=True)[:2]
    if len(closest) < 2:
        return None
    first, second = sorted(closest, key=lambda node: (node.structure != LAYER, node.id))
    return first, second


def bonus_of(node: Node, settings: Settings) -> float:
    """What is added to a candidate's similarity."""
    return settings.search.layer_bonus if node.structure == LAYER else 0.0


def _contended(node: Node, settings: Settings) -> float:
    """A candidate's similarity as the decision weighs it."""
    return node.metrics["similarity"] + bonus_of(node, settings)


def to_recover(parent: Node, candidates: Sequence[Node], settings: Settings) -> list[Node]:
    """Which of a parent's candidates the policy needs measured."""
    first: dict[str, Node] = {}
    for node in candidates:
        first.setdefault(node.structure, node)
    if not first:
        return []
    question = Question(parent.name, dict.fromkeys(first), settings)
    return [first[s] for s in POLICIES[settings.search.policy].wanted(question)]


def _similarity(node: Node) -> float:
    return node.metrics.get("similarity", float("-inf"))
