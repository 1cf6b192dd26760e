"""A node in brief, as the tree shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TreeNode:
    """What the screen shows of a node. Accuracy and MACs in percent, similarity in [0, 1]."""

    name: str
    parent: str | None
    structure: str
    state: str
    kept: bool | None
    similarity: float | None
    val_accuracy: float | None
    macs_reduction: float | None
    tagged: bool = False
    running_share: float | None = None  # of the running job, in [0, 1]

    @classmethod
    def from_object(cls, node: Mapping[str, Any]) -> TreeNode:
        """A NODE of `log --json`."""
        return cls(
            node["name"],
            node["parent"],
            node["structure"],
            node["state"],
            node["kept"],
            node.get("similarity"),
            node.get("val_accuracy"),
            node.get("macs_reduction"),
            bool(node.get("tags")),
            node.get("running_share"),
        )

    @property
    def live(self) -> bool:
        """Whether it is kept, awaited or undecided, so that no fold should hide it by itself."""
        if self.kept is None:
            return self.state not in ("failed", "cancelled")
        return self.kept or self.state in ("queued", "running")
