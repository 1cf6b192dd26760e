"""The runs of a store side by side, and what runs that began alike agree on.

A run's way is that of its kept path: at each step, which structure was kept. Runs are compared that
differ in nothing but their seeds, and forks with the run that they were forked from, from that node
on. Means and standard deviations are over runs that reached the step; a standard deviation needs
two of them. What is removed is of the network that they have in common at first.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.contracts.codec import encode_object
from engine.contracts.json_values import JsonValue
from engine.contracts.settings import all_settings, read_settings, value_of
from explorer.session.documents import RunDocument
from explorer.views.best_node import best
from explorer.views.kept_path import kept_path
from explorer.views.node_view import NodeView
from explorer.views.shape_fields import told, told_if_known
from explorer.views.stored_nodes import macs_reduction, node_views
from store import Run, TreeStore

MEASURES = ("similarity", "val_accuracy", "test_accuracy", "macs_reduction")


@dataclass(frozen=True)
class RunView:
    """One run of a store."""

    run: int = told("its number, for `--run`")
    name: str = told("its name")
    seed: int = told("its seed")
    created_at: str = told("when it was begun, UTC")
    num_nodes: int = told("how many nodes it has")
    way: tuple[str, ...] = told("what was kept at each step of the kept path: `layer`, `filter`")
    best: NodeView = told("its best node")
    forked_from: str | None = told("the node that it was forked from; null for a run of its own")
    settings: Mapping[str, JsonValue] = told(
        "settings but for the seed that differ from those of the newest run"
    )


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of a measure over runs."""

    mean: float = told("the mean")
    deviation: float | None = told("the standard deviation; null for one run")
    count: int = told("over how many runs")


@dataclass(frozen=True)
class StepView:
    """What runs that began alike did at one step of their kept paths."""

    step: int = told("the step, from 1 on")
    kept: Mapping[str, int] = told("by what was kept, in how many runs")
    agree: bool = told("whether all of them kept the same so far, at this step too")
    measures: Mapping[str, Spread] = told("of the kept nodes, by measure")


@dataclass(frozen=True)
class SeedView:
    """Runs that differ in nothing but their seeds, or a run and its forks at one of its nodes."""

    runs: tuple[int, ...] = told("their numbers")
    seeds: tuple[int, ...] = told("their seeds, in the same order")
    ways: tuple[tuple[str, ...], ...] = told("what each of them kept, step by step")
    steps: tuple[StepView, ...] = told("step by step, as far as two of them went")
    forked_at: str | None = told_if_known(
        "the node of the first of them at which the others were forked, and from which steps are "
        "counted; null for runs that differ in their seeds only"
    )

    @property
    def num_agreed(self) -> int:
        """How many steps they have in common, from the first on."""
        return sum(step.agree for step in self.steps)

    @property
    def parts_at(self) -> StepView | None:
        """The first step at which not all kept the same."""
        return next((step for step in self.steps if not step.agree), None)


@dataclass(frozen=True)
class RunsListed:
    """What `runs --json` prints."""

    runs: tuple[RunView, ...] = told("the runs, in the order in which they were begun")
    seeds: tuple[SeedView, ...] = told("groups of runs that differ in their seeds only")
    forks: tuple[SeedView, ...] = told("groups of a run and its forks at one of its nodes")

    def groups_of(self, run: int) -> tuple[SeedView, ...]:
        """Those that a run belongs to."""
        return tuple(group for group in (*self.seeds, *self.forks) if run in group.runs)


def runs_listed(store: TreeStore) -> RunsListed:
    """All runs of a store. Raises UnreadableRowError."""
    documents = [RunDocument.of(run) for run in store.runs()]
    trees = {document.run.id: node_views(store, document.run.id) for document in documents}
    newest = documents[-1] if documents else None
    views = tuple(_view(document, trees[document.run.id], newest) for document in documents)
    groups: dict[str, list[Run]] = {}
    for document in documents:
        groups.setdefault(_but_for_the_seed(document), []).append(document.run)
    seeds = [_compared(runs, trees) for runs in groups.values() if len(runs) > 1]
    return RunsListed(views, tuple(seeds), tuple(_forks(documents, trees)))


def _view(document: RunDocument, nodes: Sequence[NodeView], newest: RunDocument | None) -> RunView:
    run, fork = document.run, document.origin.forked_from
    return RunView(
        run=run.id,
        name=run.name,
        seed=run.seed,
        created_at=run.created_at,
        num_nodes=len(nodes),
        way=tuple(node.structure for node in kept_path(nodes)[1:]),
        best=best(nodes, document.settings),
        forked_from=None if fork is None else fork.node,
        settings={} if newest is None else _apart(document, newest),
    )


def _apart(document: RunDocument, other: RunDocument) -> dict[str, JsonValue]:
    """The settings but for the seed in which a run differs from another one, by their options."""
    found: dict[str, JsonValue] = {}
    for each in all_settings():
        name = each.option.name
        own = value_of(document.settings, name)
        if name != "seed" and own != value_of(other.settings, name):
            found[name] = own
    return found


def _but_for_the_seed(document: RunDocument) -> str:
    """Equal for runs that may differ in their seeds only."""
    origin = document.origin
    settings = encode_object(read_settings(document.run.settings)) | {"seed": None}
    checkpoint = origin.checkpoint.sha256 if origin.checkpoint else None
    fork = None if origin.forked_from is None else encode_object(origin.forked_from)
    return repr((settings, document.run.architecture, document.data.digest, checkpoint, fork))


def _forks(
    documents: Sequence[RunDocument], trees: Mapping[int, Sequence[NodeView]]
) -> Iterator[SeedView]:
    """A run of the store with its forks at each of its nodes that has some."""
    by_uuid = {document.run.uuid: document.run for document in documents}
    forked: dict[tuple[str, str], list[Run]] = {}
    for document in documents:
        if (fork := document.origin.forked_from) is not None:
            forked.setdefault((fork.run, fork.node), []).append(document.run)
    for (uuid, node), runs in forked.items():
        origin = by_uuid.get(uuid)
        if origin is not None and any(each.name == node for each in trees[origin.id]):
            yield _compared([origin, *runs], trees, node)


def _compared(
    runs: Sequence[Run], trees: Mapping[int, Sequence[NodeView]], forked_at: str | None = None
) -> SeedView:
    """What runs did step by step: the first one from the node on at which the others begin."""
    first, *others = (trees[run.id] for run in runs)
    whole = [kept_path(_from(forked_at, first)), *map(kept_path, others)]
    tops, ways = [way[0] for way in whole], [way[1:] for way in whole]
    steps, agree = [], True
    for step in range(max(map(len, ways), default=0)):
        reached = [(way[step], top) for way, top in zip(ways, tops, strict=True) if step < len(way)]
        if len(reached) < 2:
            break
        kept: dict[str, int] = {}
        for node, _ in reached:
            kept[node.structure] = kept.get(node.structure, 0) + 1
        agree = agree and len(kept) == 1
        measures = {key: spread for key in MEASURES if (spread := _spread(reached, key))}
        steps.append(StepView(step + 1, kept, agree, measures))
    ids, seeds = tuple(r.id for r in runs), tuple(r.seed for r in runs)
    kept_by = tuple(tuple(node.structure for node in way) for way in ways)
    return SeedView(ids, seeds, kept_by, tuple(steps), forked_at)


def _from(name: str | None, nodes: Sequence[NodeView]) -> Sequence[NodeView]:
    """The nodes with this one in front, the root where none is named."""
    return nodes if name is None else [*(n for n in nodes if n.name == name), *nodes]


def _spread(reached: Sequence[tuple[NodeView, NodeView]], key: str) -> Spread | None:
    """Of nodes, each with the one that its run is compared from."""
    found = (_measure(node, top, key) for node, top in reached)
    values = [value for value in found if value is not None]
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), deviation, len(values))


def _measure(node: NodeView, top: NodeView, key: str) -> float | None:
    if key != "macs_reduction" or top.parent is None:
        return node.measure(key)
    return macs_reduction(node.metrics.get("macs"), top.metrics.get("macs"))
