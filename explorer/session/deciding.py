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
) -> Suggestion:
    """What the policy says of candidates that are ready; at least one must be.

    `offered` are all children of the parent, ready or not. Of several candidates of one structure
    the most similar one stands for it.
    """
    champions: dict[str, Node] = {}
    for node in candidates:
        best = champions.get(node.structure)
        if best is None or _similarity(node) > _similarity(best):
            champions[node.structure] = node
    structures = dict.fromkeys(node.structure for node in offered)
    measured = {s: node.metrics.get("similarity") for s, node in champions.items()}
    question = Question(parent.name, structures | measured, settings)
    choice = POLICIES[settings.search.policy].choose(question)
    kept = tuple(champions[structure] for structure in choice.kept if structure in champions)
    if not kept:  # it would take what nobody grew
        (structure, node), *_ = champions.items()
        return Suggestion((node,), why_alone(structure, structures), None)
    margin = margin_between(champions.values(), settings, resamples)
    return Suggestion(kept, choice.reason, margin)


def margin_between(
    candidates: Iterable[Node], settings: Settings, resamples: Resamples
) -> Margin | None:
    """The margin between the two most similar candidates of different structures: the layer's
    minus the other's, or in the order they were made. None where there is only one."""
    measured = [
        node for node in candidates if node.state == "ready" and "similarity" in node.metrics
    ]
    closest = sorted(measured, key=lambda node: _contended(node, settings), reverse=True)[:2]
    if len(closest) < 2:
        return None
    first, second = sorted(closest, key=lambda node: (node.structure != LAYER, node.id))
    return margin_of(
        _similarity(first),
        _similarity(second),
        resamples(first),
        resamples(second),
        settings.search.layer_bonus if first.structure == LAYER else 0.0,
    )


def _contended(node: Node, settings: Settings) -> float:
    """A candidate's similarity as the decision weighs it."""
    bonus = settings.search.layer_bonus if node.structure == LAYER else 0.0
    return node.metrics["similarity"] + bonus


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
