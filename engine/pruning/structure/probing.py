"""Modules run again on inputs that they have had, with other numbers than their own.

Nothing is written into a module: the numbers are passed beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.contracts.edits import Removal
from engine.contracts.structure import HowRemoved
from engine.pruning.structure.recording import (
    NETWORK_ERRORS,
    Call,
    Run,
    first_tensor,
    replaced,
)
from engine.pruning.surgery.stand_ins import stand_in_for

Step = Callable[[int, int], None]  # so many of so many are done


def again(module: nn.Module, call: Call, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The first tensor that a module gives in the same call, with these for its own tensors."""
    args, kwargs = call.inputs()
    return first_tensor(functional_call(module, dict(tensors), args, kwargs, strict=False))


def zeros_of(
    module: nn.Module, keep: Callable[[nn.Module], bool] = lambda module: False
) -> dict[str, Tensor]:
    """Zeros for all parameters but those of the modules that are to `keep` theirs."""
    return {
        f"{path}.{name}" if path else name: torch.zeros_like(parameter)
        for path, inner in module.named_modules()
        if not keep(inner)
        for name, parameter in inner.named_parameters(recurse=False)
    }


def others_of(module: nn.Module) -> dict[str, Tensor]:
    """Other numbers for all parameters, none of them 0, the same each time."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: (torch.rand(parameter.shape, generator=generator) + 0.5).to(parameter)
        for name, parameter in module.named_parameters()
    }


def neutral_norms(module: nn.Module) -> dict[str, Tensor]:
    """Ones for the weights of norms; they change nothing but the scale then."""
    return {
        f"{path}.weight": torch.ones_like(inner.weight)
        for path, inner in module.named_modules()
        if path and _is_layer_norm(inner) and isinstance(inner.weight, Tensor)
    }


def is_scale(module: nn.Module) -> bool:
    """Whether a module only scales: its parameters are vectors, and it is no norm."""
    own = list(module.parameters(recurse=False))
    is_norm = isinstance(module, nn.GroupNorm | nn.modules.batchnorm._NormBase)
    vectors = all(parameter.squeeze().dim() <= 1 for parameter in own)
    return bool(own) and vectors and not is_norm and not _is_layer_norm(module)


def _is_layer_norm(module: nn.Module) -> bool:
    named_so = type(module).__name__.endswith(("LayerNorm", "RMSNorm", "LayerNorm2d"))
    return (isinstance(module, nn.LayerNorm | nn.RMSNorm) or named_so) and hasattr(module, "weight")


@dataclass(frozen=True, eq=False)
class Candidate:
    """Something that may be passed over, and what may stand in its place, in that order."""

    path: str
    call: Call
    ways: tuple[HowRemoved, ...]
    how: str = ""


class Removals:
    """Tries what may stand in a block's place."""

    def __init__(self, model: nn.Module, run: Run, whole: Tensor) -> None:
        self.model, self._run, self._whole = model, run, whole

    def tried(self, candidates: Sequence[Candidate], step: Step) -> dict[str, HowRemoved | str]:
        """For each the first way with which the network still runs, or why there is none.

        What works for the first of a class is tried for all others at once.
        """
        found: dict[str, HowRemoved | str] = {}
        by_class: dict[tuple[object, ...], list[Candidate]] = {}
        for candidate in candidates:
            module = self.model.get_submodule(candidate.path)
            key = (type(module), candidate.ways, candidate.call.num_results)
            by_class.setdefault(key, []).append(candidate)
        for first, *others in by_class.values():
            found[first.path] = way = self._way_for(first)
            alike = way in first.ways and not self._why_not([(each, way) for each in others])
            found |= {each.path: way if alike else self._way_for(each) for each in others}
            step(len(found), len(candidates))
        return found

    def _way_for(self, candidate: Candidate) -> HowRemoved | str:
        why = ""
        for way in candidate.ways:
            if not (why := self._why_not([(candidate, way)])):
                return way
        return why

    def _why_not(self, removed: Sequence[tuple[Candidate, HowRemoved | str]]) -> str:
        """Why the network does not run without these; empty where it does."""
        try:
            with ExitStack() as stack:
                for each, way in removed:
                    stack.enter_context(self._without(each, cast(HowRemoved, way)))
                result = self._run(self.model)
        except NETWORK_ERRORS as error:  # whatever a network does to what is not its block
            return f"the network does not run without it: {in_short(error)}"
        if result.shape != self._whole.shape:
            return "without it the network gives an output of another shape"
        if not math.isfinite(float(result.abs().sum())):
            return "without it the network's output is not finite"
        return ""

    def _without(self, candidate: Candidate, way: HowRemoved) -> AbstractContextManager[None]:
        removal = Removal(candidate.path, way, candidate.call.num_results)
        stand_in = None if way == "delete" else stand_in_for(removal, self.model)
        return replaced(self.model, candidate.path, stand_in)


def in_short(error: BaseException) -> str:
    """An error's first line, as part of a sentence."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__
