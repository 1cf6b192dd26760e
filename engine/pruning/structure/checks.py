"""Whether what looks removable is: on this very network, removed has to equal masked.

Nothing is offered that was not checked. A group inside a block is checked in the block, on what the
block got in a forward pass of the network; others in the whole network. At the end everything is
checked together there, on images of the size that the network is for, and on another number of
them. What fails is left out, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.contracts.errors import EditError
from engine.contracts.structure import UnitGroup
from engine.pruning.structure.masks import Chosen, Masks
from engine.pruning.structure.places import (
    Place,
    of_block,
    of_network,
    units_of,
    within,
)
from engine.pruning.structure.probing import Step, in_short
from engine.pruning.structure.recording import NETWORK_ERRORS, Example, Recording

LARGEST_ERROR = 1e-5  # of the output's scale
LARGEST_SHARE = 1e-2  # of the change that masking makes
# Everything at once in a deep network: rounding adds up.
LARGEST_ERROR_TOGETHER = 1e-4
SECONDS = 300.0  # of the processor: on a busy machine no less is found

NO_EFFECT = "masking it changes nothing that the network gives, so nothing can be shown of it"
NO_TIME = "there was no time left to check it"


@dataclass(frozen=True)
class Checked:
    """Groups that may be removed from, in the order they came in, and why others may not."""

    groups: tuple[UnitGroup, ...]
    frozen: Mapping[str, str]


class Checks:
    """All checks of one network."""

    def __init__(
        self, model: nn.Module, example: Example, recording: Recording, seconds: float = SECONDS
    ) -> None:
        self._model, self._recording = model, recording
        self._network = of_network(model, example, recording.calls)
        self._last_moment = time.process_time() + seconds

    def of(self, groups: Sequence[UnitGroup], step: Step = lambda done, of: None) -> Checked:
        """Which of these groups may be removed from."""
        frozen: dict[str, str] = {}
        homes: dict[str, list[UnitGroup]] = {}
        for group in groups:
            homes.setdefault(self._home(group), []).append(group)
        num_done = 0
        for block, inside in homes.items():
            frozen |= self._failing(*self._place(block, inside), inside)
            num_done += len(inside)
            step(num_done, len(groups))
        return Checked(tuple(group for group in groups if group.path not in frozen), frozen)

    def _home(self, group: UnitGroup) -> str:
        """The block in which a group can be checked alone; the network where there is none."""
        block = group.block
        if block is None or group.crosses_blocks or self._recording.only_call(block) is None:
            return ""
        names = [
            *(member.tensor for member in group.members),
            *(consumer.module for consumer in group.consumers),
            *(rule.module for rule in group.attributes),
            *(rule.module for rule in group.sizes),
        ]
        inside = all(f"{name}.".startswith(f"{block}.") for name in names)
        return block if inside else ""

    def _place(self, block: str, groups: Sequence[UnitGroup]) -> tuple[Place, Tensor | None]:
        """Where the groups of a block are checked, and what it gives when they are masked: the
        block where it runs alone, which is seen from that."""
        if not block:
            return self._network, None
        module, call = self._model.get_submodule(block), self._recording.calls[block][0]
        place = of_block(block, module, call, self._recording.calls)
        try:
            masked = place.masked(Masks(_chosen(place, groups)).all)
            if masked.isfinite().all() or place.whole.isfinite().all():
                return place, masked
        except NETWORK_ERRORS:
            pass
        return self._network, None

    def _failing(
        self, place: Place, masked: Tensor | None, groups: Sequence[UnitGroup]
    ) -> dict[str, str]:
        """Which of the groups of one place fail, and why.

        `masked` is what it gives when all are masked, where that is known. Where masking changes
        too little to show anything, a copy of the place with other numbers is tried, for the way
        that values take does not depend on them; then other units.
        """
        failing, weak = self._settled(place, groups, masked=masked)
        if weak:
            livelier = place.livelier()
            for each, most in ((weak, False), *(([group], True) for group in weak)):
                still = [group for group in each if group in weak]
                failed, weaker = self._settled(livelier, still, most)
                failing |= failed
                weak = [group for group in weak if group not in still or group in weaker]
        return failing | dict.fromkeys((group.path for group in weak), NO_EFFECT)

    def _settled(
        self,
        place: Place,
        groups: Sequence[UnitGroup],
        most: bool = False,
        masked: Tensor | None = None,
    ) -> tuple[dict[str, str], list[UnitGroup]]:
        """Which groups fail, with the reason, and of which nothing can be said there."""
        if not groups:
            return {}, []
        if time.process_time() > self._last_moment:
            return dict.fromkeys((group.path for group in groups), NO_TIME), []
        compared = _compared(place, _chosen(place, groups, most), masked)
        if not compared.why:
            return {}, [groups[number] for number in compared.weak]
        if len(groups) == 1:
            return {groups[0].path: compared.why}, []
        half = len(groups) // 2
        (first, weak), (second, weak_too) = (
            self._settled(place, each, most) for each in (groups[:half], groups[half:])
        )
        return first | second, weak + weak_too

    def failing_together(
        self, groups: Sequence[UnitGroup], examples: Sequence[Example]
    ) -> dict[str, str]:
        """Which groups fail when all are removed from at once in the whole network, and why."""
        why = self.why_not_together(groups, examples) if groups else ""
        if not why:
            return {}
        if len(groups) == 1:
            return {groups[0].path: why}
        half = len(groups) // 2
        return {
            **self.failing_together(groups[:half], examples),
            **self.failing_together(groups[half:], examples),
        }

    def why_not_together(self, groups: Sequence[UnitGroup], examples: Sequence[Example]) -> str:
        """Why the network without some of all these groups is not the masked one; empty where it
        is."""
        chosen = tuple((group, units_of(group, few=True)) for group in groups)
        for example in examples:
            place = of_network(self._model, example, self._recording.calls)
            masked = place.masked(Masks(chosen).all)
            error, why = _error_of(place, chosen, masked)
            if why:
                return why
            if error > LARGEST_ERROR_TOGETHER * float(masked.abs().max()):
                return f"without some of it the network is off by {error:.1e}"
        return ""


@dataclass(frozen=True)
class _Comparison:
    """Why a place without some units is not what it is when nothing reads them (empty where it is
    that), and the numbers of those groups whose mask changes too little to say."""

    why: str = ""
    weak: tuple[int, ...] = ()


def _chosen(place: Place, groups: Sequence[UnitGroup], most: bool = False) -> Chosen:
    """The groups by the names that things have in a place, with some units of each."""
    return tuple((within(group, place.path), units_of(group, most=most)) for group in groups)


def _compared(place: Place, chosen: Chosen, masked: Tensor | None) -> _Comparison:
    masks = Masks(chosen)
    if masked is None:
        masked = place.masked(masks.all)
    if not masked.isfinite().all():
        return _Comparison(NO_EFFECT) if len(chosen) > 1 else _Comparison(weak=(0,))
    error, why = _error_of(place, chosen, masked, again=True)
    scale = float(masked.abs().max())
    if why or error > LARGEST_ERROR * scale:
        return _Comparison(why or f"without some of it the network is off by {error:.1e}")
    weak = []
    for number in range(len(chosen)):
        beside = place.masked(masks.without(number)) if len(chosen) > 1 else place.whole
        effect = float((beside - masked).abs().max())
        if effect <= place.smallest_effect * scale or error > LARGEST_SHARE * effect:
            weak.append(number)
    return _Comparison(weak=tuple(weak))


def _error_of(
    place: Place, chosen: Chosen, masked: Tensor, again: bool = False
) -> tuple[float, str]:
    """How far the pruned place is from the masked one, or why there is nothing to compare."""
    try:
        found = place.pruned(chosen, again)
    except (*NETWORK_ERRORS, EditError) as error:  # a forward pass whose sizes are fixed
        return 0.0, f"the network does not run without some of it: {in_short(error)}"
    if found.shape != masked.shape:
        return 0.0, "without some of it the network gives an output of another shape"
    difference = torch.nan_to_num(found - masked, nan=float("inf"))
    return float(difference.abs().max()), ""
