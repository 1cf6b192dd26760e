"""The methods of each kind by name: what front ends and pages know of them. What does them has a
dict of the same names in its own room; a test holds the two together."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.methods.allocations import ALLOCATIONS
from engine.contracts.methods.arguments import share_in
from engine.contracts.methods.criteria import CRITERIA
from engine.contracts.methods.method import OWN, Method, name_in
from engine.contracts.methods.recoveries import RECOVERIES
from engine.contracts.methods.repairs import REPAIRS
from engine.contracts.methods.searches import SEARCHES
from engine.contracts.methods.similarities import SIMILARITIES

__all__ = [
    "ALLOCATIONS",
    "CRITERIA",
    "KINDS",
    "OWN",
    "RECOVERIES",
    "REPAIRS",
    "SEARCHES",
    "SIMILARITIES",
    "Method",
    "looked_at",
    "name_in",
    "share_in",
]


def looked_at(criterion: str, items: str) -> str:
    """What a criterion looked at, in words; `items` says at how many images."""
    known = CRITERIA.get(criterion)
    return (known.looked_at if known else "code of one's own, {items}").format(items=items)


# By the option that chooses one.
KINDS: Mapping[str, Mapping[str, Method]] = {
    "criterion": CRITERIA,
    "similarity": SIMILARITIES,
    "repair": REPAIRS,
    "recover": RECOVERIES,
    "allocation": ALLOCATIONS,
    "search": SEARCHES,
}
