"""Nodes as the JSON objects that commands print. Accuracies in percent, similarities in [0, 1]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.contracts.settings import Settings
from store import (
    Annotation,
    Decision,
    Node,
    TreeStore,
)


def node_objects(store: TreeStore, run_id: int) -> list[dict[str, Any]]:
    """Every node of a run in the order they came, parents of decisions with their margins."""
    nodes = store.nodes(run_id)
    names = {node.id: node.name for node in nodes}
    root = nodes[0]
    decisions = {d.parent_id: d for d in store.decisions(run_id)}  # the newest wins
    said = store.annotations(run_id)
    return [
        node_object(node, root, names, decisions.get(node.id), said.get(node.id)) for node in nodes
    ]


def some_objects(store: TreeStore, run_id: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """The nodes of these names, as `node_objects` gives them."""
    root, said = store.node(run_id, "R"), store.annotations(run_id)
    found = []
    for node in sorted((store.node(run_id, name) for name in names), key=lambda node: node.id):
        parent = None if node.parent_id is None else store.node_by_id(node.parent_id)
        known = {i.id: i.name for i in (*([parent] if parent else []), *store.children(node.id))}
        decision = store.decision_of(node.id)
        found.append(node_object(node, root, known, decision, said.get(node.id)))
    return found


def removes(edit: Mapping[str, Any] | None) -> str | None:
    """What an edit removes, in a few words; None for the root, which has none."""
    if edit is None:
        return None
    if "blocks" in edit:
        return ", ".join(edit["blocks"])
    filters = edit.get("filters", {})
    count, places = sum(len(indices) for indices in filters.values()), len(filters)
    return (
        f"{count} filter{'s' if count != 1 else ''} of "
        f"{places} convolution{'s' if places != 1 else ''}"
    )


def node_object(
    node: Node,
    root: Node,
    names: Mapping[int, str],
    decision: Decision | None,
    said: Annotation | None,
) -> dict[str, Any]:
    """A node as commands print it. `names` holds those of its parent and kept children by id."""
    said = said or Annotation()
    metrics = node.metrics
    macs = metrics.get("macs")
    value: dict[str, Any] = {
        "name": node.name,
        "parent": names.get(node.parent_id) if node.parent_id is not None else None,
        "structure": node.structure,
        "state": node.state,
        "kept": node.kept,
        "decided_by": node.decided_by,
        "similarity": metrics.get("similarity"),
        "val_accuracy": metrics.get("val_accuracy"),
        "val_accuracy_before": metrics.get("val_accuracy_before"),
        "test_accuracy": metrics.get("test_accuracy"),
        "macs": None if macs is None else int(macs),
        "params": None if "params" not in metrics else int(metrics["params"]),
        "macs_reduction": None if macs is None else 100 * (1 - macs / root.metrics["macs"]),
        "latency_ms": metrics.get("latency_ms"),
        "latency_ratio": metrics.get("latency_ratio"),  # to the parent's, measured in turns
        "removes": removes(node.edit),
        "tags": list(said.tags),
        "note": said.note,
        "dropped": said.dropped,
        "freed": said.freed,  # its weights are gone
        "seconds": node.seconds,
    }
    if node.error:
        value["error"] = node.error
    if decision is not None and decision.candidates:
        value.update(
            decision=[names[i] for i in decision.kept],
            reason=decision.reason,
            margin=decision.margin,
            margin_low=decision.margin_low,
            margin_high=decision.margin_high,
            too_close=decision.too_close,
        )
    return value


def kept_path(objects: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The kept nodes from the root down, along each parent's first kept child."""
    path = [objects[0]]
    while True:
        kept = [o for o in objects if o["parent"] == path[-1]["name"] and o["kept"]]
        if not kept:
            return path
        path.append(kept[0])


def best(objects: Sequence[dict[str, Any]], settings: Settings) -> dict[str, Any]:
    """The smallest kept node whose validation accuracy is not below the root's by more than
    `max_drop` (0 where it is not given); else the most accurate kept one."""
    by_name = {o["name"]: o for o in objects}
    rows = ((o["name"], o["kept"], o["val_accuracy"], o["macs_reduction"]) for o in objects)
    return by_name[best_name(rows, settings)]


def best_name(
    rows: Iterable[tuple[str, bool | None, float | None, float | None]], settings: Settings
) -> str:
    """The name of the best node, from (name, kept, validation accuracy, MACs reduction) of each
    node, the root's first."""
    rows = iter(rows)
    root = next(rows)
    kept = [(name, acc, cut or 0.0) for name, word, acc, cut in rows if word and acc is not None]
    floor = (root[2] or 0.0) - (settings.search.max_drop or 0.0)
    if good := [row for row in kept if row[1] >= floor]:
        return max(good, key=lambda row: (row[2], row[1]))[0]
    return max(kept, key=lambda row: row[1])[0] if kept else root[0]
