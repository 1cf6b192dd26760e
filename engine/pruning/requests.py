"""What a person asks to be removed, in place of the usual candidates, as an edit."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from engine.contracts.edits import FILTER, LAYER, UNIT, Edit
from engine.contracts.errors import EditRequestError
from engine.contracts.methods import ALLOCATIONS
from engine.contracts.near import did_you_mean
from engine.contracts.networks import Scores
from engine.contracts.requests import EditRequest, RemoveBlocks, RemoveTogether, RemoveUnits
from engine.contracts.setting_sections import ScoringSettings
from engine.contracts.structure import NetworkStructure
from engine.pruning import candidates, editing
from engine.pruning.allocations import Probe
from engine.pruning.limits import Limits
from engine.tasks import Batch


def check(
    request: EditRequest,
    model: nn.Module,
    structure: NetworkStructure,
    units: str = "inner",
    limits: Limits = candidates.NO_LIMITS,
) -> None:
    """Raises EditError for what this network cannot do: before anything is scored for it. What is
    named to the last index may go though `limits` keep it: a person has said so."""
    exact = _exact(request, structure)
    if exact is not None:
        editing.apply(exact, model)
    elif not isinstance(request, RemoveUnits):
        _candidates_to_go(structure, min_blocks=1, limits=limits)
    else:
        _check_allocation(request.allocation)
        _check_count(request.count, structure, units, limits)


def edit_of(
    request: EditRequest,
    model: nn.Module,
    structure: NetworkStructure,
    scores: Scores,
    scoring: ScoringSettings,
    example: Batch,
    seed: int,
    *,
    limits: Limits | None = None,
    probe: Probe | None = None,
) -> Edit:
    """The edit that a checked request means. It may leave fewer than `min_blocks` in a stage.
    Raises EditRequestError where whole steps (`round_to`) leave nothing to go."""
    limits = limits or Limits.of(scoring, structure)
    exact = _exact(request, structure)
    if exact is not None:
        return exact
    assert not isinstance(request, RemoveTogether)
    if isinstance(request, RemoveBlocks):
        paths = _candidates_to_go(structure, scoring.min_blocks, scoring.layers, limits)
        least = min(paths, key=scores.blocks.__getitem__)
        return candidates.held(Edit(LAYER, blocks=(least,)), structure)
    scoring = replace(scoring, allocation=request.allocation or scoring.allocation)
    if request.count is None:
        usual = candidates.propose(
            model, structure, scores, scoring, example, seed, limits=limits, probe=probe
        )
        edit = next((edit for edit in usual if edit.structure != LAYER), None)
    else:
        edit = candidates.UnitEdits(
            structure, scores, scoring, seed,
            limits=limits, shapes=candidates.shapes_of(model), probe=probe,
        ).of_count(request.count)  # fmt: skip
    if edit is None:  # check() has seen that so many can go, one by one
        raise EditRequestError(
            f"no group can give {structure.unit_word}s by --allocation {scoring.allocation} such "
            f"that a multiple of {scoring.round_to} stays (--round-to); name the units themselves"
        )
    return edit


def _exact(request: EditRequest, structure: NetworkStructure) -> Edit | None:
    """The edit that a request names to the last index, None where it leaves the choice open."""
    if isinstance(request, RemoveTogether):
        return _together(request, structure)
    if isinstance(request, RemoveBlocks):
        if request.blocks is None:
            return None
        _check_named(request.blocks)
        return candidates.held(Edit(LAYER, blocks=request.blocks), structure)
    if request.units is None:
        return None
    if request.count is not None or request.allocation is not None:
        raise EditRequestError("a request gives the units themselves, or how many; not both")
    _check_named(request.units)
    empty = [path for path, indices in request.units.items() if not indices]
    if empty:
        raise EditRequestError(
            f"no {structure.unit_word}s are named for {empty[0]}; name some or leave it out"
        )
    kind = candidates.kind_of(g for g in structure.groups if g.path in request.units)
    kind = FILTER if structure.read_off else kind
    edit = Edit.from_json({"structure": kind, "filters": request.units})
    return candidates.held(edit, structure)


def _together(request: RemoveTogether, structure: NetworkStructure) -> Edit:
    _check_named({**dict.fromkeys(request.blocks), **request.units})
    units = tuple(sorted((path, tuple(sorted(each))) for path, each in request.units.items()))
    kind = UNIT if units and request.blocks else LAYER
    if units and not request.blocks:
        kind = candidates.kind_of(g for g in structure.groups if g.path in request.units)
    return candidates.held(Edit(kind, request.blocks, units), structure)


def _check_named(named: object) -> None:
    if not named:
        raise EditRequestError(
            f"a request names nothing to remove ({named!r}); leave it out or name some"
        )


def _check_allocation(allocation: str | None) -> None:
    if allocation is not None and allocation not in ALLOCATIONS:
        hint = did_you_mean(allocation, ALLOCATIONS)
        raise EditRequestError(
            f"allocation {allocation!r}: {hint}It is one of {', '.join(ALLOCATIONS)}"
        )


def _candidates_to_go(
    structure: NetworkStructure,
    min_blocks: int,
    layers: str = "blocks",
    limits: Limits = candidates.NO_LIMITS,
) -> list[str]:
    """The blocks among which the least important is looked for: the usual ones, if there are."""
    found = limits.removable_layers(structure, min_blocks, layers)
    found = found or limits.removable_layers(structure, 1, layers)
    if not found:
        free = [block.path for block in structure.blocks if block.stays != "shape"]
        hint = (
            f"name one of {', '.join(free)} to go further"
            if free
            else f"remove {structure.unit_word}s instead"
        )
        kept = " or what --keep says" if limits.kept.blocks else ""
        raise EditRequestError(f"every stage has only its first block{kept} left; {hint}")
    return [block.path for block in found]


def _check_count(
    count: int | None, structure: NetworkStructure, units: str, limits: Limits
) -> None:
    largest = sum(limits.room(group) for group in structure.offered_groups(units))
    word, spare = structure.unit_word, structure.num_spare_units(units)
    if largest < spare and (largest < 1 or (count is not None and not 1 <= count <= largest)):
        raise EditRequestError(
            f"{largest if count is None else count!r} {word}s cannot go: --keep and "
            f"--keep-fraction leave {largest} of {spare}; name the units themselves to go further"
        )
    place = "convolution" if word == "filter" else "layer"
    if largest < 1:
        raise EditRequestError(
            f"no {word} is left to remove: every {place} has one; remove a layer"
        )
    if count is not None and not 1 <= count <= largest:
        raise EditRequestError(
            f"{count!r} {word}s cannot go: it is a whole number from 1 to {largest}, "
            f"for one {word} stays in every {place}"
        )
