"""The kept path: the one way through a tree that stands for its result.

From the root it goes, at each parent, to the *newest kept child*: of the children that the parent's
newest decision keeps, the one that was made last. It ends at the tip, the first node that keeps no
child. So it follows from the tree alone as it stands, now or at any moment of the past:

- after "keep both" it goes on along the candidate that was made last, while the other branch grows
  beside it;
- a decision that supersedes another counts alone: what only the older one kept is off the path, and
  undoing it brings the older path back;
- a branch from an old node joins the path where its candidate was made after what is kept there;
- an undone, still undecided parent is where the path ends.

`auto` grows on along it, `tip`, the End key and `auto --json` show it, and the store answers the
same in SQL (`TreeStore.kept_path` and `tip`), for trees too large to be read; a test holds them all
against each other over random trees.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Decided(Protocol):
    """A node as far as the kept path goes: its name, its parent's, and whether it is kept."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def kept(self) -> bool | None: ...


NodeT = TypeVar("NodeT", bound=Decided)


def newest_kept(kept: Iterable[int]) -> int | None:
    """The newest of a parent's kept children, given by numbers in the order they were made."""
    return max(kept, default=None)


def kept_path(nodes: Iterable[NodeT]) -> list[NodeT]:
    """The kept path of a tree whose nodes come in the order they were made, the root first."""
    made = list(nodes)
    kept: dict[str | None, list[int]] = {}
    for number, node in enumerate(made):
        if node.parent is not None and node.kept:
            kept.setdefault(node.parent, []).append(number)
    path: list[NodeT] = made[:1]
    while path and (newest := newest_kept(kept.get(path[-1].name, ()))) is not None:
        path.append(made[newest])
    return path
