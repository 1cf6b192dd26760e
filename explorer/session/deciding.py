"""What a policy would keep of a parent's candidates, and by what margin. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.contracts.settings import Settings
from explorer.session.policy import (
    FILTER,
    LAYER,
    POLICIES,
    Margin,
    Question,
    margin_of,
    wanted,
    why_alone,
)
from store import Node

Resamples = Callable[[Node], Sequence[float]]


@dataclass(frozen=True)
class Suggestion:
    """The candidate that the run's policy would keep, why, and by what margin."""

    node: Node
    reason: str
    margin: Margin | None


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
    choice = POLICIES[settings.search.policy](question)
    if choice.structure not in champions:  # it would take what this node no longer offers
        (structure, node), *_ = champions.items()
        return Suggestion(node, why_alone(structure, structures), None)
    margin = margin_between(champions.values(), settings, resamples)
    return Suggestion(champions[choice.structure], choice.reason, margin)


def margin_between(
    candidates: Iterable[Node], settings: Settings, resamples: Resamples
) -> Margin | None:
    """The margin between a layer and a filter candidate, or None where one is missing."""
    first: dict[str, Node] = {}
    for node in candidates:
        if node.state == "ready" and "similarity" in node.metrics:
            first.setdefault(node.structure, node)
    layer, filters = first.get(LAYER), first.get(FILTER)
    if layer is None or filters is None:
        return None
    return margin_of(
        _similarity(layer),
        _similarity(filters),
        resamples(layer),
        resamples(filters),
        settings.search.layer_bonus,
    )


def to_recover(parent: Node, candidates: Sequence[Node], settings: Settings) -> list[Node]:
    """Which of a parent's candidates the policy needs measured."""
    first: dict[str, Node] = {}
    for node in candidates:
        first.setdefault(node.structure, node)
    if not first:
        return []
    question = Question(parent.name, dict.fromkeys(first), settings)
    return [first[s] for s in wanted(settings.search.policy, tuple(first), question)]


def _similarity(node: Node) -> float:
    return node.metrics.get("similarity", float("-inf"))
