"""Nodes and trees beside each other."""

from __future__ import annotations

from typing import Any

import pytest

from explorer.views.node_diff import (
    MEASURED,
    decided,
    differences,
    side_by_side,
)


def node(name: str, *, kept: bool | None = True, **known: Any) -> dict[str, Any]:
    parent = name.rpartition(".")[0] or None
    value = {"name": name, "parent": parent, "kept": kept, "decided_by": "cka" if kept else None}
    return value | dict.fromkeys(MEASURED) | known


def decision(*kept: str, margin: float | None = 0.1) -> dict[str, Any]:
    return {"decision": list(kept), "reason": "so", "margin": margin, "margin_low": None,
            "margin_high": None, "too_close": False}  # fmt: skip


def test_each_node_is_told_apart_from_the_first_by_what_both_measured() -> None:
    first = node("R", val_accuracy=90.0, macs=100, test_accuracy=89.0)
    other = node("R.L", val_accuracy=88.5, macs=80, similarity=0.9)
    assert differences([first, other]) == [{}, {"val_accuracy": -1.5, "macs": -20}]
    assert differences([other, first])[1] == {"val_accuracy": 1.5, "macs": 20}


def test_decisions_come_along_the_kept_path_alone() -> None:
    tree = [
        node("R", **decision("R.L")),
        node("R.L", **decision("R.L.F")),
        node("R.F", kept=False, **decision("R.F.L")),
        node("R.L.F", decided_by="user"),
        node("R.F.L"),
    ]
    assert [(d.parent, d.kept, d.actor) for d in decided(tree)] == [
        ("R", ("R.L",), "cka"),
        ("R.L", ("R.L.F",), "user"),
    ]


def test_a_decision_that_kept_none_has_nobody_who_kept_one() -> None:
    (found,) = decided([node("R", **decision()), node("R.L", kept=False)])
    assert found.kept == () and found.actor is None and found.margin == pytest.approx(0.1)


def test_the_longer_path_stands_beside_nothing() -> None:
    short = [node("R", **decision("R.F")), node("R.F")]
    long = [node("R", **decision("R.L")), node("R.L", **decision("R.L.L")), node("R.L.L")]
    rows = side_by_side(short, long)
    assert [(a and a.kept, b and b.kept) for a, b in rows] == [
        (("R.F",), ("R.L",)),
        (None, ("R.L.L",)),
    ]
