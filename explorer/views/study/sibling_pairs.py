"""Candidates of stores with what was known of them before and at recovery, and what became of them.

Runs of a study have many nodes in common: what has the same weights is one candidate, whichever
runs it is in, and what one run has tuned is known of it everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from engine.contracts.networks import Scores
from explorer.session.documents import (
    RunDocument,
    UnreadableRowError,
    edit_of,
    newest_phase,
    read_proposal,
)
from store import Node, TreeStore

RECOVERED, TUNED, TEST = "recovered", "tuned", "test"
# What is known of a candidate by the name of a measure, before or at recovery.
PLAIN = ("val_accuracy_before", "val_loss", "val_accuracy", "macs", "params", "latency_ratio",
         "similarity_second")  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """A candidate after recovery: its weights, its signals, and its accuracy once recovered, once
    tuned (on validation images), and on test images."""

    weights: str
    structure: str
    signals: Mapping[str, float]
    outcomes: Mapping[str, float]


@dataclass
class Siblings:
    """The pairs of candidates that one parent has, known by the parent's weights."""

    parent: str
    pairs: dict[frozenset[str], tuple[Candidate, Candidate]] = field(default_factory=dict)


def siblings_of(stores: Sequence[TreeStore]) -> list[Siblings]:
    """All pairs of recovered candidates of the same parent, each once. Raises UnreadableRowError,
    StoreError."""
    found: dict[str, Siblings] = {}
    tuned = _tuned(stores)
    for store in stores:
        for run in store.runs():
            document = RunDocument.of(run)
            for parent, candidates in _families(store, document, tuned):
                siblings = found.setdefault(parent, Siblings(parent))
                for pair in combinations(candidates, 2):
                    key = frozenset(each.weights for each in pair)
                    if len(key) == 2:
                        siblings.pairs.setdefault(key, pair)
    return [each for each in found.values() if each.pairs]


def _tuned(stores: Iterable[TreeStore]) -> dict[str, dict[str, float]]:
    """The outcomes of tuning by the weights that were tuned; of several the first."""
    found: dict[str, dict[str, float]] = {}
    every = [(store, run) for store in stores for run in store.runs()]
    for store, run in every:
        nodes, _, metrics = store.nodes_by_phase(run.id)
        for node in nodes:
            if "tuned" not in node.phases:
                continue
            measured = metrics[node.id]["tuned"]
            outcomes = {TUNED: measured.get("val_accuracy"), TEST: measured.get("test_accuracy")}
            found.setdefault(store.snapshot_hash(node.id, "recovered"), _known(outcomes))
    return found


def _families(
    store: TreeStore, document: RunDocument, tuned: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, list[Candidate]]]:
    """The parents of a run that have recovered candidates, with these."""
    nodes, _, metrics = store.nodes_by_phase(document.run.id)
    by_id = {node.id: node for node in nodes}
    children: dict[int, list[Node]] = {}
    for node in nodes:
        if node.parent_id is not None and "recovered" in node.phases:
            children.setdefault(node.parent_id, []).append(node)
    for parent_id, family in children.items():
        scored = _scored(store, parent_id)
        measure = document.settings.similarity.measure
        yield (
            store.snapshot_hash(parent_id, newest_phase(by_id[parent_id])),
            [
                _candidate(
                    node,
                    store.snapshot_hash(node.id, "recovered"),
                    metrics[node.id]["recovered"],
                    measure,
                    scored,
                    tuned,
                )
                for node in family
            ],
        )


def _scored(store: TreeStore, parent_id: int) -> dict[str, Scores]:
    """The scores of a parent's structures, by criterion."""
    found: dict[str, Scores] = {}
    for proposal in store.proposals(parent_id):
        try:
            document = read_proposal(proposal)
        except UnreadableRowError:
            continue  # what was measured of its candidates can be read all the same
        found.setdefault(document.criterion, document.scores)
    return found


def _candidate(
    node: Node,
    weights: str,
    measured: Mapping[str, float],
    measure: str,
    scored: Mapping[str, Scores],
    tuned: Mapping[str, Mapping[str, float]],
) -> Candidate:
    signals: dict[str, float | None] = {key: measured.get(key) for key in PLAIN}
    signals[f"similarity:{measure}"] = measured.get("similarity")
    for criterion, scores in scored.items():
        signals[f"score:{criterion}"] = _removed(node, scores)
    outcomes = {RECOVERED: measured.get("val_accuracy"), **tuned.get(weights, {})}
    return Candidate(weights, node.structure, _known(signals), _known(outcomes))


def _removed(node: Node, scores: Scores) -> float | None:
    """The sum of the scores of what a candidate has lost; None where some were not scored."""
    edit = edit_of(node)
    if edit is None:
        return None
    try:
        blocks = sum(scores.blocks[path] for path in edit.blocks)
        units = sum(scores.units[path][i] for path, indices in edit.units for i in indices)
    except (KeyError, IndexError):
        return None
    return blocks + units


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are numbers."""
    return {k: v for k, v in values.items() if v is not None and math.isfinite(v)}
