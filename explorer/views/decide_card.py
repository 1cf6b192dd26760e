"""The Decide card's content, from a live run or from a moment of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from explorer.session.policy import Margin
from explorer.session.steering import Steering
from explorer.views.live_run import LiveView
from explorer.views.values import Card, NodeObject


def subject_of(objects: Mapping[str, NodeObject], selected: str, has_children: bool) -> str:
    """The parent whose card a selected node shows: its own, where it has candidates or is kept."""
    value = objects[selected]
    if has_children or value["kept"] or value["parent"] is None:
        return selected
    return str(value["parent"])


def live_card(live: LiveView, steering: Steering, parent: str) -> Card:
    """The card of a parent as things stand."""
    assert live.run is not None and live.store is not None
    node = live.store.node(live.run.id, parent)
    children = live.store.children(node.id)
    card = _card(live.objects, parent, tuple(child.name for child in children))
    jobs = {
        name: job
        for name in (parent, *(child.name for child in children))
        for kind in ("tune", "propose", "recover")
        if (job := live.jobs.get(f"{name} {kind}")) is not None
    }
    suggestion = steering.suggestion(node)
    fields: dict[str, Any] = {
        "edits": {child.name: child.edit or {} for child in children},
        "jobs": jobs,
    }
    if suggestion is not None:
        fields["suggested"] = suggestion.node.name
        if card.kept is None:
            fields |= {"margin": suggestion.margin, "reason": suggestion.reason}
    return replace(card, **fields)


def past_card(
    objects: Mapping[str, NodeObject], parent: str, edits: Mapping[str, Mapping[str, Any]]
) -> Card:
    """The card of a parent at a moment that `objects` were taken at; edits never change."""
    names = tuple(name for name, value in objects.items() if value["parent"] == parent)
    return replace(_card(objects, parent, names), edits=edits)


def _card(objects: Mapping[str, NodeObject], parent: str, names: tuple[str, ...]) -> Card:
    value = objects[parent]
    candidates = tuple(objects[name] for name in names if name in objects)
    undecided = all(candidate["kept"] is None for candidate in candidates)
    margin = None
    if value.get("margin") is not None:
        margin = Margin(
            value["margin"], value["margin_low"], value["margin_high"], value["too_close"]
        )
    deciders = [c["decided_by"] for c in candidates if c["decided_by"]]
    return Card(
        parent=value,
        root=objects["R"],
        candidates=candidates,
        margin=None if undecided else margin,
        reason="" if undecided else value.get("reason") or "",
        kept=None if undecided else tuple(c["name"] for c in candidates if c["kept"]),
        decided_by=deciders[0] if deciders else None,
        step=parent.count(".") + 1,
    )
