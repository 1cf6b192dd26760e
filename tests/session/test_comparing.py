"""Nodes and trees beside each other."""

from __future__ import annotations

import pytest

from explorer.session.policy import Margin
from explorer.views.node_diff import (
    decided,
    differences,
    side_by_side,
)
from explorer.views.node_view import DecisionView, NodeView


def node(name: str, *, kept: bool | None = True, decision=None, by="cka", **metrics) -> NodeView:
    parent = name.rpartition(".")[0] or None
    return NodeView(name, parent, "layer", "ready", kept, by if kept else None, metrics,
                    decision=decision)  # fmt: skip


def decision(*kept: str, margin: float | None = 0.1) -> DecisionView:
    return DecisionView(kept, "so", None if margin is None else Margin(margin, None, None, False))


def test_each_node_is_told_apart_from_the_first_by_what_both_measured() -> None:
    first = node("R", val_accuracy=90.0, macs=100, test_accuracy=89.0)
    other = node("R.L", val_accuracy=88.5, macs=80, similarity=0.9)
    assert differences([first, other]) == [{}, {"val_accuracy": -1.5, "macs": -20}]
    assert differences([other, first])[1] == {"val_accuracy": 1.5, "macs": 20}


def test_decisions_come_along_the_kept_path_alone() -> None:
    tree = [
        node("R", decision=decision("R.L")),
        node("R.L", decision=decision("R.L.F")),
        node("R.F", kept=False, decision=decision("R.F.L")),
        node("R.L.F", by="user"),
        node("R.F.L"),
    ]
    assert [(d.parent, d.kept, d.actor) for d in decided(tree)] == [
        ("R", ("R.L",), "cka"),
        ("R.L", ("R.L.F",), "user"),
    ]


def test_a_decision_that_kept_none_has_nobody_who_kept_one() -> None:
    (found,) = decided([node("R", decision=decision()), node("R.L", kept=False)])
    assert found.kept == () and found.actor is None and found.margin == pytest.approx(0.1)


def test_the_longer_path_stands_beside_nothing() -> None:
    short = [node("R", decision=decision("R.F")), node("R.F")]
    long = [
        node("R", decision=decision("R.L")),
        node("R.L", decision=decision("R.L.L")),
        node("R.L.L"),
    ]
    rows = side_by_side(short, long)
    assert [(a and a.kept, b and b.kept) for a, b in rows] == [
        (("R.F",), ("R.L",)),
        (None, ("R.L.L",)),
    ]
