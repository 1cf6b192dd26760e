"""A node in brief, as the tree shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from explorer.views.node_view import NodeView


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
    similarity_by: str = "cka"  # the measure that its run compares by

    @classmethod
    def of(cls, node: NodeView, running_share: float | None = None) -> TreeNode:
        """A node at length, in brief."""
        return cls(
            node.name, node.parent, node.structure, node.state, node.kept, node.similarity,
            node.val_accuracy, node.macs_reduction, bool(node.tags), running_share,
            node.similarity_by,
        )  # fmt: skip

    def measure(self, key: str) -> float | None:
        """One of its measures by its key, None where a node in brief does not have it."""
        return _MEASURES[key](self) if key in _MEASURES else None

    @property
    def live(self) -> bool:
        """Whether it is kept, awaited or undecided, so that no fold should hide it by itself."""
        if self.kept is None:
            return self.state not in ("failed", "cancelled")
        return self.kept or self.state in ("queued", "running")


_MEASURES: dict[str, Callable[[TreeNode], float | None]] = {
    "similarity": lambda node: node.similarity,
    "val_accuracy": lambda node: node.val_accuracy,
    "macs_reduction": lambda node: node.macs_reduction,
}
