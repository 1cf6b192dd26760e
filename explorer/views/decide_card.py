"""The Decide card's content, from a live run or from a moment of the past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from engine.contracts.edits import Edit
from engine.contracts.setting_sections import NO_SECOND
from explorer.session.documents import RunDocument
from explorer.session.policy import Margin
from explorer.session.steering import Steering
from explorer.views.doubts import doubts_about
from explorer.views.job_view import JobView
from explorer.views.live_run import LiveRun
from explorer.views.node_view import NodeView
from explorer.views.protected_block import protected_block
from explorer.views.removed import stored_edit
from store import Node, TreeStore


@dataclass(frozen=True)
class RunFacts:
    """What of a run its decisions are told with."""

    policy: str = "cka"
    layer_bonus: float = 0.0
    num_validation: int = 0
    items: str = "images"
    similarity: str = "cka"
    second: str = NO_SECOND

    @staticmethod
    def of(document: RunDocument) -> RunFacts:
        search, data = document.settings.search, document.data
        how = document.settings.similarity
        return RunFacts(
            search.policy, search.layer_bonus, data.num_validation, data.items,
            how.measure, how.second,
        )  # fmt: skip


@dataclass(frozen=True)
class Card:
    """A parent's candidates side by side, and what is suggested or was decided.

    The candidates' figures are those after recovery, all at one training length; `tuned` holds by
    name those that were trained on. `edits` holds by candidate what its edit removes; `jobs` the
    work that goes on, by candidate. `protected` is the block that scores lowest of all but is
    never proposed, and why.
    """

    parent: NodeView
    root: NodeView
    candidates: tuple[NodeView, ...] = ()
    edits: Mapping[str, Edit] = field(default_factory=dict)
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    margin: Margin | None = None
    suggested: str | None = None
    reason: str = ""
    kept: tuple[str, ...] | None = None  # None while undecided
    decided_by: str | None = None
    undoable: bool = False  # whether undo takes back this very decision
    awaited: tuple[str, ...] = ()  # candidates that are still to be measured
    step: int = 0  # the parent's depth + 1
    doubts: tuple[str, ...] = ()  # about the run's figures; on the root's card only
    run: RunFacts = RunFacts()
    tuned: Mapping[str, NodeView] = field(default_factory=dict)
    protected: tuple[str, str] | None = None


def subject_of(nodes: Mapping[str, NodeView], selected: str, has_children: bool) -> str:
    """The parent whose card a selected node shows: its own, where it has candidates or is kept."""
    node = nodes[selected]
    if has_children or node.kept or node.parent is None:
        return selected
    return node.parent


def edits_of(nodes: Iterable[Node]) -> dict[str, Edit]:
    """What the edits of stored nodes remove, by their names."""
    return {node.name: edit for node in nodes if (edit := stored_edit(node)) is not None}


def live_card(live: LiveRun, steering: Steering, parent: str) -> Card:
    """The card of a parent as things stand."""
    assert live.run is not None and live.store is not None
    node = live.store.node(live.run.id, parent)
    children = live.store.children(node.id)
    card = _card(live.objects, parent, tuple(child.name for child in children))
    card = with_words_of(card, live.store, steering.session.document)
    jobs = {
        name: job
        for name in (parent, *(child.name for child in children))
        for kind in ("tune", "propose", "recover")
        if (job := live.jobs.get(f"{name} {kind}")) is not None
    }
    about_root = doubts_about(live.run) if parent == "R" else ()
    doubts = tuple(doubt.words for doubt in about_root)
    card = replace(card, edits=edits_of(children), jobs=jobs, doubts=doubts)
    if card.kept is None and (awaited := steering.awaited(node)):
        return replace(card, awaited=tuple(candidate.name for candidate in awaited))
    card = replace(card, undoable=card.kept is not None and steering.undoes(node))
    suggestion = steering.suggestion(node)
    if suggestion is None:
        return card
    card = replace(card, suggested=suggestion.node.name)
    if card.kept is None:
        card = replace(card, margin=suggestion.margin, reason=suggestion.reason)
    return card


def past_card(
    nodes: Mapping[str, NodeView], parent: str, store: TreeStore, document: RunDocument
) -> Card:
    """The card of a parent at a moment that `nodes` were taken at; edits never change."""
    names = tuple(name for name, node in nodes.items() if node.parent == parent)
    edits = edits_of(store.children(store.node(document.run.id, parent).id))
    card = replace(_card(nodes, parent, names), edits=edits)
    return with_words_of(card, store, document)


def with_words_of(card: Card, store: TreeStore, document: RunDocument) -> Card:
    """The card with what its words are made of, and all candidates at one training length."""
    parent = store.node(document.run.id, card.parent.name)
    tuned: dict[str, NodeView] = {}
    for child in store.children(parent.id):
        view = next((c for c in card.candidates if c.name == child.name), None)
        if view is not None and "tuned" in child.phases:
            tuned[view.name] = view
    candidates = tuple(
        replace(c, metrics=_recovered(store, document, c)) if c.name in tuned else c
        for c in card.candidates
    )
    return replace(
        card,
        run=RunFacts.of(document),
        candidates=candidates,
        tuned=tuned,
        protected=protected_block(store, document, parent) if candidates else None,
    )


def _recovered(store: TreeStore, document: RunDocument, view: NodeView) -> Mapping[str, float]:
    """A node's measures after recovery, before it was trained on."""
    node = store.node(document.run.id, view.name)
    measured = store.metrics_of(node.id, "recovered")
    gone = view.metrics.get("macs_reduction")
    return measured if gone is None else {**measured, "macs_reduction": gone}


def _card(nodes: Mapping[str, NodeView], parent: str, names: tuple[str, ...]) -> Card:
    node = nodes[parent]
    candidates = tuple(nodes[name] for name in names if name in nodes)
    undecided = all(candidate.kept is None for candidate in candidates)
    deciders = [c.decided_by for c in candidates if c.decided_by]
    return Card(
        parent=node,
        root=nodes["R"],
        candidates=candidates,
        margin=None if undecided else node.margin,
        reason="" if undecided or node.decision is None else node.decision.reason,
        kept=None if undecided else tuple(c.name for c in candidates if c.kept),
        decided_by=deciders[0] if deciders else None,
        step=parent.count(".") + 1,
    )
