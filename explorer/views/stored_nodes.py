"""Nodes of a store as views. Accuracies in percent, similarities in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.contracts.json_values import JsonObject
from engine.contracts.settings import read_settings
from explorer.session.deciding import margin_between
from explorer.session.documents import RunDocument, row_of
from explorer.session.policy import Margin
from explorer.views.deciding import deciding_in
from explorer.views.doubts import doubts_about
from explorer.views.node_view import DecisionView, EpochView, NodeDetails, NodeView
from explorer.views.removed import removed, stored_edit
from store import (
    Annotation,
    Decision,
    EpochRow,
    Node,
    Run,
    TreeStore,
)


def node_views(store: TreeStore, run_id: int) -> list[NodeView]:
    """Every node of a run in the order they came, parents of decisions with their margins."""
    nodes = store.nodes(run_id)
    names = {node.id: node.name for node in nodes}
    root = nodes[0]
    decisions = {d.parent_id: d for d in store.decisions(run_id)}  # the newest wins
    said, compared_by = store.annotations(run_id), similarity_of(store.run(run_id))
    views = [
        node_view(node, root, names, decisions.get(node.id), said.get(node.id), compared_by)
        for node in nodes
    ]
    children: dict[int, list[Node]] = {}
    for node in nodes:
        if node.parent_id is not None:
            children.setdefault(node.parent_id, []).append(node)
    return [
        with_open_margin(store, view, children.get(node.id, ()))
        for node, view in zip(nodes, views, strict=True)
    ]


def some_node_views(store: TreeStore, run_id: int, names: Sequence[str]) -> list[NodeView]:
    """The nodes of these names, as `node_views` gives them."""
    root, said = store.node(run_id, "R"), store.annotations(run_id)
    compared_by, found = similarity_of(store.run(run_id)), []
    for node in sorted((store.node(run_id, name) for name in names), key=lambda node: node.id):
        parent = None if node.parent_id is None else store.node_by_id(node.parent_id)
        children = store.children(node.id)
        known = {i.id: i.name for i in (*([parent] if parent else []), *children)}
        decision = store.decision_of(node.id)
        view = node_view(node, root, known, decision, said.get(node.id), compared_by)
        found.append(with_open_margin(store, view, children))
    return found


def with_open_margin(store: TreeStore, view: NodeView, candidates: Sequence[Node]) -> NodeView:
    """A view with the margin of its candidates as it stands, where nothing is decided of them."""
    if view.decision is not None or sum(node.state == "ready" for node in candidates) < 2:
        return view
    settings = RunDocument.of(store.run(candidates[0].run_id)).settings

    def resamples(node: Node) -> Sequence[float]:
        return store.resamples(node.id, "recovered") or ()

    return replace(view, open_margin=margin_between(candidates, settings, resamples))


def node_details(store: TreeStore, run_id: int, name: str) -> NodeDetails:
    """All that a store knows of one node."""
    (view,) = some_node_views(store, run_id, [name])
    found = with_details(store, store.node(run_id, name), view)
    return replace(found, settings=read_settings(store.run(run_id).settings))


def with_details(store: TreeStore, node: Node, view: NodeView) -> NodeDetails:
    """All that a store knows of a node, which is shown as `view` (as it was at some moment)."""
    run = store.run(node.run_id)
    return NodeDetails(
        node=view,
        edit=stored_edit(node),
        epochs=epoch_views(store, node.id),
        snapshots={phase: store.snapshot_hash(node.id, phase) for phase in node.phases},
        created_at=node.created_at,
        doubts=doubts_about(run),
        row=row_of(run),
        deciding=deciding_in(run),
    )


def node_view(
    node: Node,
    root: Node,
    names: Mapping[int, str],
    decision: Decision | None,
    said: Annotation | None,
    compared_by: str = "cka",
) -> NodeView:
    """A stored node as a view. `names` holds those of its parent and kept children by id;
    `compared_by` is the measure of similarity of its run."""
    said = said or Annotation()
    edit = stored_edit(node)
    return NodeView(
        name=node.name,
        parent=names.get(node.parent_id) if node.parent_id is not None else None,
        structure=node.structure,
        state=node.state,
        kept=node.kept,
        decided_by=node.decided_by,
        metrics=_measures(node, root),
        removes=None if edit is None else removed(edit),
        tags=said.tags,
        note=said.note,
        dropped=said.dropped,
        freed=said.freed,
        seconds=node.seconds,
        error=node.error,
        decision=_decision(decision, names),
        similarity_by=compared_by,
    )


def similarity_of(run: Run) -> str:
    """The measure that a run compares by: so that its figures are called by its name."""
    section = run.settings.get("similarity")  # before format 6 there was one alone
    measure = section.get("measure") if isinstance(section, Mapping) else None
    return measure if isinstance(measure, str) else "cka"


def _measures(node: Node, root: Node) -> dict[str, float]:
    """What was measured, and how many percent of the root's multiply-accumulates are gone."""
    gone = macs_reduction(node.metrics.get("macs"), root.metrics.get("macs"))
    return node.metrics if gone is None else {**node.metrics, "macs_reduction": gone}


def macs_reduction(macs: float | None, root_macs: float | None) -> float | None:
    """The part of the root's multiply-accumulates that is gone, in percent."""
    return None if macs is None or not root_macs else 100 * (1 - macs / root_macs)


def _decision(decision: Decision | None, names: Mapping[int, str]) -> DecisionView | None:
    if decision is None or not decision.candidates:
        return None
    return DecisionView(
        tuple(names[i] for i in decision.kept), decision.reason, margin_of(decision)
    )


def margin_of(decision: Decision) -> Margin | None:
    """A stored decision's margin."""
    if decision.margin is None:
        return None
    return Margin(decision.margin, decision.margin_low, decision.margin_high, decision.too_close)


def epoch_views(store: TreeStore, node_id: int) -> tuple[EpochView, ...]:
    """The epochs of a node's phases, in the order they were trained."""
    return tuple(_epoch(row) for row in store.epochs(node_id))


def _epoch(row: EpochRow) -> EpochView:
    values: JsonObject = row.values

    def figure(name: str) -> float | None:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value)

    place = figure("epoch")
    return EpochView(
        phase=row.phase,
        stored=values,
        epoch=None if place is None or not math.isfinite(place) else int(place),
        loss=figure("loss"),
        accuracy=figure("accuracy"),
        images_per_second=figure("images_per_second"),
    )
