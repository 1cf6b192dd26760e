"""What the policy may still decide alone, and in which branch of the tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from explorer.session.budget import Budget


@dataclass(frozen=True)
class Grant:
    """From a node on the policy decides within a budget; `made` decisions were made so.

    With `as_auto` it works as `auto` does: only what the policy needs is measured, and behind the
    last decision no further candidates are made for a person.
    """

    top: str
    budget: Budget = field(default_factory=Budget)
    made: int = 0
    as_auto: bool = False


class Allowance:
    """The grants by the node that they hold from: a branch spends its own, never another's."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}

    @property
    def grants(self) -> tuple[Grant, ...]:
        """All that hold, in the order in which they were given."""
        return tuple(self._grants.values())

    def grant(self, grant: Grant) -> None:
        """From now on it holds, in place of another from the same node."""
        self._grants.pop(grant.top, None)
        if grant.budget.decisions != 0 or grant.as_auto:
            self._grants[grant.top] = grant

    def of(self, node: str) -> Grant | None:
        """The grant of the closest branch that a node is in."""
        tops = [top for top in self._grants if is_below(node, top)]
        return self._grants[max(tops, key=len)] if tops else None

    def spend(self, node: str) -> Grant | None:
        """Takes the decision on a node's candidates from the closest branch that has one left; the
        grant as it is then, None where there was none."""
        grant = self.of(node)
        if grant is None:
            return None
        spent = replace(grant, budget=grant.budget.after_one(), made=grant.made + 1)
        if spent.budget.decisions == 0 and not spent.as_auto:
            del self._grants[grant.top]
        else:
            self._grants[grant.top] = spent  # in its place, so that words keep their order
        return spent

    def end(self, node: str) -> Grant | None:
        """The branch that a node is in has come to its end; what held there."""
        grant = self.of(node)
        return None if grant is None else self._grants.pop(grant.top)

    def clear(self) -> None:
        """Nothing is decided alone any more."""
        self._grants.clear()


def is_below(node: str, top: str) -> bool:
    """Whether a node is another one or grew from it."""
    return node == top or node.startswith(f"{top}.")


def words(grants: Iterable[Grant], now: float | None = None) -> str:
    """What is left to the policy: `3 decisions from R.L on; everywhere, until 06:00`."""
    return "; ".join(
        grant.budget.words(now, "everywhere" if grant.top == "R" else f"from {grant.top} on")
        for grant in grants
    )


def brief(grants: Iterable[Grant], now: float | None = None) -> str:
    """The same for a title: `auto 3 until 06:00`; empty where nothing is left to it."""
    told = " + ".join(grant.budget.brief(now) for grant in grants)
    return f"auto {told}" if told else ""
