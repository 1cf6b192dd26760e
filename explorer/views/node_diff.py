"""Nodes and trees beside each other, from NODE objects alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from explorer.views.node_json import kept_path

MEASURED = (
    "similarity",
    "val_accuracy",
    "val_accuracy_before",
    "test_accuracy",
    "macs",
    "macs_reduction",
    "params",
    "latency_ratio",
)  # not the milliseconds of a latency: those of two moments say more about the machine


@dataclass(frozen=True)
class Decided:
    """A decision on a kept path: who kept what at `parent`, and how clear that was."""

    parent: str
    kept: tuple[str, ...]
    actor: str | None
    reason: str
    margin: float | None
    margin_low: float | None
    margin_high: float | None
    too_close: bool | None


def differences(objects: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """What each node measured, less what the first one did; for the first one nothing."""
    first = objects[0]
    return [
        {
            key: value[key] - first[key]
            for key in MEASURED
            if value is not first and None not in (value[key], first[key])
        }
        for value in objects
    ]


def decided(objects: Sequence[dict[str, Any]]) -> list[Decided]:
    """The decisions along the kept path of a tree, from its root down."""
    by_name = {value["name"]: value for value in objects}
    return [
        Decided(
            parent=value["name"],
            kept=tuple(value["decision"]),
            actor=next((by_name[name]["decided_by"] for name in value["decision"]), None),
            reason=value["reason"],
            margin=value["margin"],
            margin_low=value["margin_low"],
            margin_high=value["margin_high"],
            too_close=value["too_close"],
        )
        for value in kept_path(objects)
        if "decision" in value
    ]


def side_by_side(
    first: Sequence[dict[str, Any]], second: Sequence[dict[str, Any]]
) -> list[tuple[Decided | None, Decided | None]]:
    """The decisions of two kept paths, depth by depth; None where one path has ended."""
    return list(zip_longest(decided(first), decided(second)))
