"""What a person wants removed, in place of the usual candidates, as an edit.

A wish is a JSON value: {"structure": "layer"} (the least important block), with "blocks" exactly
those; {"structure": "filter"} (as many as the usual candidate), with "count" and "allocation" those
many, with "filters" (indices by convolution) exactly those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from engine.contracts.edits import Edit
from engine.contracts.errors import WishError
from engine.contracts.settings import ALLOCATIONS, Settings
from engine.pruning import candidates
from engine.pruning import surgery as edits
from engine.pruning.scores import Scores
from engine.pruning.structure import NetworkStructure, structure_of

Wish = Mapping[str, Any]
FIELDS = {"layer": {"blocks"}, "filter": {"filters", "count", "allocation"}}


def check(wish: Wish, model: nn.Module) -> None:
    """Raises EditError for what this network cannot do: before anything is scored for it."""
    structure = structure_of(model)
    _check_fields(wish)
    if _is_exact(wish):
        edits.apply(_exact(wish), model)
    elif wish["structure"] == "layer":
        _candidates_to_go(structure, min_blocks=1)
    else:
        _check_count(wish.get("count"), structure)


def edit_of(
    wish: Wish,
    model: nn.Module,
    scores: Scores,
    settings: Settings,
    image_shape_HWC: tuple[int, int, int],
    seed: int,
) -> Edit:
    """The edit that a checked wish means. It may leave fewer than `min_blocks` in a stage."""
    if _is_exact(wish):
        return _exact(wish)
    structure = structure_of(model)
    if wish["structure"] == "layer":
        paths = _candidates_to_go(structure, settings.min_blocks)
        return Edit("layer", blocks=(min(paths, key=scores.blocks.__getitem__),))
    settings = replace(settings, allocation=wish.get("allocation") or settings.allocation)
    count = wish.get("count")
    if count is None:
        usual = candidates.propose(model, scores, settings, image_shape_HWC, seed)
        return next(edit for edit in usual if edit.structure == "filter")
    edit = candidates.filter_edit(structure, scores, count, settings.allocation, seed)
    assert edit is not None  # check() has seen that so many can go
    return edit


def _check_fields(wish: Wish) -> None:
    kind = wish.get("structure")
    if kind not in FIELDS:
        raise WishError(f"a wish for the structure {kind!r}; it is 'layer' or 'filter'")
    given = {name for name, value in wish.items() if value is not None} - {"structure"}
    if unknown := sorted(given - FIELDS[kind]):
        raise WishError(
            f"a wish for a {kind} says nothing about {unknown[0]!r}; "
            f"it may give {', '.join(sorted(FIELDS[kind]))}"
        )
    if "filters" in given and len(given) > 1:
        raise WishError("a wish gives the filters themselves, or how many; not both")
    allocation = wish.get("allocation")
    if allocation is not None and allocation not in ALLOCATIONS:
        raise WishError(f"allocation {allocation!r}; it is one of {', '.join(ALLOCATIONS)}")


def _is_exact(wish: Wish) -> bool:
    return wish.get("blocks") is not None or wish.get("filters") is not None


def _exact(wish: Wish) -> Edit:
    named = wish["blocks" if wish["structure"] == "layer" else "filters"]
    if not named or isinstance(named, str) or not isinstance(named, Sequence | Mapping):
        raise WishError(f"a wish names nothing to remove ({named!r}); leave it out or name some")
    edit = Edit.from_dict(wish)
    empty = [path for path, indices in edit.filters if not indices]
    if empty:
        raise WishError(f"no filters are named for {empty[0]}; name some or leave it out")
    return edit


def _candidates_to_go(structure: NetworkStructure, min_blocks: int) -> list[str]:
    """The blocks among which the least important is looked for: the usual ones, if there are."""
    blocks = structure.removable_blocks(min_blocks) or structure.removable_blocks(1)
    if not blocks:
        free = [block.path for block in structure.blocks if not block.changes_shape]
        hint = f"name one of {', '.join(free)} to go further" if free else "remove filters instead"
        raise WishError(f"every stage has only its first block left; {hint}")
    return [block.path for block in blocks]


def _check_count(count: object, structure: NetworkStructure) -> None:
    largest = structure.num_spare_filters
    if largest < 1:
        raise WishError("no filter is left to remove: every convolution has one; remove a layer")
    if count is None:
        return
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= largest:
        raise WishError(
            f"{count!r} filters cannot go: it is a whole number from 1 to {largest}, "
            "for one filter stays in every convolution"
        )
