"""The tree as the widgets see it: nodes, their order on the screen, folds, matches, ways to walk.

Nodes are addressed by their number (the order they came in), so that a parent's number is always
smaller than its children's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

from explorer.views.kept_path import newest_kept
from explorer.views.tree.filter import Predicate, parse_filter
from explorer.views.tree.node import TreeNode

# Layers grow to the left, filters and other units to the right, anything else straight down.
_SIDES = {"layer": -1, "filter": 1, "neuron": 1, "channel": 1, "unit": 1}


class TreeModel:
    """A growing tree of nodes. Adding or changing one costs at most its depth."""

    def __init__(self, nodes: Iterable[TreeNode] = ()) -> None:
        self.nodes: list[TreeNode] = []
        self.parents: list[int] = []  # -1 for the root
        self.children: list[list[int]] = []  # from left to right
        self.sides: list[int] = []  # below the parent: -1 to the left, 1 to the right, 0 between
        self.num_below: list[int] = []  # descendants
        self.folded: set[int] = set()
        self.shape = 0  # grows with whatever may move a node on the screen
        self.filter_text = ""
        self.matches: set[int] | None = None  # None: no filter
        self._numbers: dict[str, int] = {}
        self._live_below: list[int] = []
        self._fold_choices: dict[int, bool] = {}
        self._test: Predicate | None = None
        for node in nodes:
            self._append(node)
        self._count_all()

    def __len__(self) -> int:
        return len(self.nodes)

    def number(self, name: str) -> int:
        """The node's number. Raises KeyError."""
        return self._numbers[name]

    def find(self, name: str) -> int | None:
        return self._numbers.get(name)

    # Growing

    def put(self, node: TreeNode) -> int:
        """Adds the node, or changes the one of that name; returns its number.

        Raises ValueError where the parent is unknown or would change.
        """
        number = self._numbers.get(node.name)
        if number is None:
            number = self._append(node)
            self._count_up(number, 1, int(node.live))
        elif node != (old := self.nodes[number]):
            if (node.parent, node.structure) != (old.parent, old.structure):
                raise ValueError(f"node {node.name!r} cannot move to another parent or structure")
            self.nodes[number] = node
            if (node.kept, node.live) != (old.kept, old.live):
                self.shape += 1  # what was rejected may be drawn smaller
            self._count_up(number, 0, int(node.live) - int(old.live))
        if self._test is not None and self.matches is not None:
            (self.matches.add if self._test(node) else self.matches.discard)(number)
        return number

    def _append(self, node: TreeNode) -> int:
        number = len(self.nodes)
        parent = -1
        if node.name in self._numbers:
            raise ValueError(f"node {node.name!r} comes twice")
        if node.parent is not None:
            parent = self._numbers.get(node.parent, -1)
            if parent < 0:
                raise ValueError(f"node {node.name!r} came before its parent {node.parent!r}")
        elif number:
            raise ValueError(f"{node.name!r} is a second root beside {self.nodes[0].name!r}")
        self._numbers[node.name] = number
        self.nodes.append(node)
        self.parents.append(parent)
        self.children.append([])
        self.sides.append(_SIDES.get(node.structure, 0))
        self.num_below.append(0)
        self._live_below.append(0)
        if parent >= 0:
            insort(self.children[parent], number, key=self._place_among)
        self.shape += 1
        return number

    def _place_among(self, number: int) -> tuple[int, int]:
        return (self.sides[number], number)

    def _count_all(self) -> None:
        for number in range(len(self.nodes) - 1, 0, -1):
            parent = self.parents[number]
            self.num_below[parent] += 1 + self.num_below[number]
            self._live_below[parent] += self.nodes[number].live + self._live_below[number]
        self.folded = {i for i in range(len(self.nodes)) if self._should_fold(i)}

    def _count_up(self, number: int, added: int, live: int) -> None:
        self._refold(number)
        if added or live:
            while (number := self.parents[number]) >= 0:
                self.num_below[number] += added
                self._live_below[number] += live
                self._refold(number)

    # Folding

    def _should_fold(self, number: int) -> bool:
        if not self.children[number]:
            return False
        choice = self._fold_choices.get(number)
        if choice is not None:
            return choice
        return self.nodes[number].kept is False and not self._live_below[number]

    def _refold(self, number: int) -> None:
        should = self._should_fold(number)
        if should != (number in self.folded):
            (self.folded.add if should else self.folded.discard)(number)
            self.shape += 1

    def toggle_fold(self, number: int) -> bool:
        """Folds or unfolds the node's subtree, for good; returns whether it is folded now."""
        if self.children[number]:
            self._fold_choices[number] = number not in self.folded
            self._refold(number)
        return number in self.folded

    def reveal(self, number: int) -> None:
        """Unfolds whatever hides the node."""
        while (number := self.parents[number]) >= 0:
            if number in self.folded:
                self.toggle_fold(number)

    # Filtering

    def set_filter(self, text: str) -> None:
        """Marks the nodes that meet the expression. Raises ValueError and changes nothing."""
        self._test = test = parse_filter(text)
        self.filter_text = text
        self.matches = None if test is None else {i for i, n in enumerate(self.nodes) if test(n)}

    def next_match(self, number: int, step: int = 1) -> int | None:
        """The match after (or, with -1, before) the node in the order of creation, round about."""
        if not self.matches:
            return None
        ordered = sorted(self.matches)
        if step > 0:
            return ordered[bisect_right(ordered, number) % len(ordered)]
        return ordered[bisect_left(ordered, number) - 1]

    # Walking: each returns None where there is no way on

    def parent(self, number: int) -> int | None:
        return None if self.parents[number] < 0 else self.parents[number]

    def visible_children(self, number: int) -> list[int]:
        return [] if number in self.folded else self.children[number]

    def first_child(self, number: int) -> int | None:
        return next(iter(self.visible_children(number)), None)

    def kept_child(self, number: int) -> int | None:
        """The newest kept child, as the kept path goes; else none."""
        return newest_kept(c for c in self.children[number] if self.nodes[c].kept)

    def kept_path(self) -> list[int]:
        """The kept path from the root down, by number."""
        path = [0] if self.nodes else []
        while path and (child := self.kept_child(path[-1])) is not None:
            path.append(child)
        return path

    def lineage(self, number: int, longest: int) -> list[int]:
        """The node and its nearest ancestors, the node last, at most `longest` of them."""
        line = [number]
        while len(line) < longest and (number := self.parents[number]) >= 0:
            line.append(number)
        return line[::-1]
