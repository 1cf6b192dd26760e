"""The sizes that a forward pass names and that shrink with a group, read off the labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from engine.contracts.structure import SizeRule
from engine.pruning.structure.labels.size_log import NamedSize
from engine.pruning.structure.labels.union import Labels

Place = tuple[str, int, int]  # module, call, position


def size_rules(
    named: Iterable[NamedSize], labels: Labels, roots: Sequence[Sequence[int]], batch: int
) -> list[tuple[SizeRule, ...]]:
    """For each group (its units' labels), the rules of its sizes."""
    owner = {root: (g, u) for g, units in enumerate(roots) for u, root in enumerate(units)}
    rules: list[dict[Place, SizeRule]] = [{} for _ in roots]
    for size in named:
        rows = labels.find(size.rows)
        if bool((rows != rows[:, :1]).any()):
            continue  # no unit is whole rows of it: a reshape that cannot shrink
        line: list[int] = rows[:, 0].tolist()
        if _repeats_by_example(line, batch, size.position):
            continue
        shares: dict[int, Counter[int]] = defaultdict(Counter)
        for root in line:
            if root in owner:
                group, unit = owner[root]
                shares[group][unit] += 1
        place = size.module, size.call, size.position
        for group, share in shares.items():
            per_unit = tuple(share[unit] for unit in range(len(roots[group])))
            is_even = len(set(per_unit)) == 1
            rule = SizeRule(*place, size.value, per_unit[0] if is_even else per_unit)
            rules[group].setdefault(place, rule)
    return [tuple(of_group.values()) for of_group in rules]


def _repeats_by_example(line: list[int], batch: int, position: int) -> bool:
    """Whether the axis holds the units once for each example: its size is no fixed number."""
    if batch < 2 or position > 1 or len(line) % batch or len(line) // batch < 2:
        return False
    once = line[: len(line) // batch]
    return len(set(once)) > 1 and line == once * batch
