"""Budgets answered one after the other, from one table of costs and one scoring.

What is minimised is the sum of the scores of what goes, as if each were lost alone. For the KL of a
criterion that is its first-order part: what two structures do together is not in it (the more goes,
the less exact it is). Blocks and units are weighed against one another, so their scores must be on
one scale, as those of `kl`, `kl-fast` and `kl-fisher` are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from torch import nn

from engine.contracts.budgets import Allowed, Fit
from engine.contracts.edits import Edit
from engine.contracts.networks import Execution
from engine.contracts.structure import NetworkStructure
from engine.measures.cost import cost_of
from engine.measures.latency import latency_beside
from engine.pruning.explicit import explicit
from engine.pruning.fitting.choices import Choices
from engine.pruning.fitting.latency import PERCENT, latency_table
from engine.pruning.fitting.program import Chosen, Program
from engine.pruning.fitting.tables import tables_of
from engine.pruning.surgery import carry_out
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import Batch

SECONDS = 20.0  # at most, of one budget
TRIES = 4  # where a prediction was not exact


class Fitter:
    """The choices of a network with their costs, tabulated when it is made."""

    def __init__(
        self,
        model: nn.Module,
        structure: NetworkStructure,
        choices: Choices,
        example: Batch,
        monitor: Monitor = SILENT,
        timed_by: Execution | None = None,
    ) -> None:
        """With `timed_by` budgets of latency can be answered too. Raises Cancelled."""
        self.tables = tables_of(model, structure, choices, example, monitor)
        self._timed_by = timed_by
        if timed_by is not None:
            self.tables["latency"] = latency_table(
                model, structure, choices, self.tables["macs"], example, timed_by
            )
        self._model, self._structure, self._example = model, structure, example
        self._choices, self._program = choices, Program(choices, self.tables)

    def fit(self, allowed: Allowed, seconds: float = SECONDS) -> Fit:
        """The best choice within a budget; where none is within it, the one that costs least."""
        started = time.perf_counter()
        limits = _limits(allowed)
        found, tightened = None, dict(limits)
        for _ in range(TRIES):
            chosen = self._program.best(tightened, seconds)
            if chosen is None:
                break
            fit = self._told(allowed, chosen, started)
            over = {name: _costs(fit)[name] - limit for name, limit in limits.items()}
            if all(each <= 0 for name, each in over.items() if name != "latency"):
                found = fit  # of latency the last one, which is nearest: a clock is never exact
            if all(each <= 0 for each in over.values()):
                break
            for name, each in over.items():  # what the table does not know is taken off the limit
                tightened[name] -= max(0, each)
        return found or self._least(allowed, limits, seconds, started)

    def _least(
        self, allowed: Allowed, limits: Mapping[str, int], seconds: float, started: float
    ) -> Fit:
        """What costs least, by the first budget that not even that meets."""
        fits = []
        for name in limits:
            chosen = self._program.smallest(name, seconds)
            if chosen is not None:
                fits.append(self._told(allowed, chosen, started, possible=False))
        nothing = Chosen(frozenset(), {}, 0.0)
        return next(
            (f for f in fits if not _is_within(f, limits)),
            fits[0] if fits else self._told(allowed, nothing, started, possible=False),
        )

    def edit(self, chosen: Chosen) -> Edit:
        """The edit that a choice means."""
        return self._choices.edit(chosen.blocks, chosen.steps)

    def _told(
        self, allowed: Allowed, chosen: Chosen, started: float, *, possible: bool = True
    ) -> Fit:
        edit = self.edit(chosen)
        gone = {path: len(units) for path, units in edit.units}
        importance = self._importance(chosen)
        made = carry_out(explicit(edit, self._structure), self._model, share=True)
        measured = cost_of(made, self._example)
        predicted = percent = None
        if allowed.latency is not None and self._timed_by is not None:
            _, ratio = latency_beside(made, self._model, self._example, self._timed_by)
            predicted = self.tables["latency"].left(chosen.blocks, gone) / PERCENT
            percent = 100 * ratio.value
        return Fit(
            allowed, edit.blocks, dict(edit.units), importance,
            min(chosen.bound, importance) if possible else importance,
            self.tables["macs"].left(chosen.blocks, gone),
            self.tables["params"].left(chosen.blocks, gone),
            measured.num_macs, measured.num_params,
            possible, predicted, percent, round(time.perf_counter() - started, 3),
        )  # fmt: skip

    def _importance(self, chosen: Chosen) -> float:
        of_blocks = (b.importance for b in self._choices.blocks if b.path in chosen.blocks)
        of_units = (g.lost[chosen.steps.get(g.path, 0)] for g in self._choices.groups)
        return math.fsum((*of_blocks, *of_units))


def _limits(allowed: Allowed) -> dict[str, int]:
    latency = None if allowed.latency is None else round(allowed.latency * PERCENT)
    each = {"macs": allowed.macs, "params": allowed.params, "latency": latency}
    return {name: limit for name, limit in each.items() if limit is not None}


def _costs(fit: Fit) -> dict[str, int]:
    latency = 0 if fit.measured_latency is None else round(fit.measured_latency * PERCENT)
    return {"macs": fit.measured_macs, "params": fit.measured_params, "latency": latency}


def _is_within(fit: Fit, limits: Mapping[str, int]) -> bool:
    return all(_costs(fit)[name] <= limit for name, limit in limits.items())
