"""How many decisions the policy may still make alone, and in which branch of the tree."""

from __future__ import annotations


class Allowance:
    """Counts by the node that they hold from: a branch spends its own, never another's."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}

    @property
    def total(self) -> int:
        """The decisions that are left, in all branches together."""
        return sum(self._left.values())

    def grant(self, top: str, count: int) -> None:
        """From now on so many decisions may be made from this node on."""
        self._left.pop(top, None)
        if count > 0:
            self._left[top] = count

    def spend(self, node: str) -> bool:
        """Takes the decision on a node's candidates from the closest branch that has one left."""
        top = self._top_of(node)
        if top is None:
            return False
        self.grant(top, self._left[top] - 1)
        return True

    def end(self, node: str) -> None:
        """The branch that a node is in has come to its end."""
        top = self._top_of(node)
        if top is not None:
            del self._left[top]

    def clear(self) -> None:
        """Nothing is decided alone any more."""
        self._left.clear()

    def _top_of(self, node: str) -> str | None:
        tops = [top for top in self._left if is_below(node, top)]
        return max(tops, key=len, default=None)


def is_below(node: str, top: str) -> bool:
    """Whether a node is another one or grew from it."""
    return node == top or node.startswith(f"{top}.")
