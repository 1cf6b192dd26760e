"""What goes for budgets of cost, as it is printed and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.contracts.budgets import Fit
from explorer.session.fitting import Budget, NodeFitted
from explorer.views.counting import counted
from explorer.views.shape_fields import told

# Of these criteria a block's score and a unit's are on one scale.
ONE_SCALE = ("kl", "kl-fast", "kl-fisher")


@dataclass(frozen=True)
class StageLoses:
    """What one stage loses (of groups outside of blocks: the stage is empty)."""

    stage: str = told("its name")
    blocks: tuple[str, ...] = told("the blocks that go, whole")
    units: int = told("how many units go of others")


@dataclass(frozen=True)
class BudgetFitted:
    """The choice for one budget. Shares of MACs and parameters are percent of the root's, of
    latency of the node's own."""

    budget_macs: float | None = told("the share of MACs that may be left, null for any")
    budget_params: float | None = told("the same of parameters")
    budget_latency: float | None = told("the same of latency")
    possible: bool = told("whether there is such a choice; else this is what costs the least")
    importance: float = told("the summed scores of what goes")
    bound: float = told("no choice has a smaller sum; equal where this one is proved the best")
    macs: int = told("multiply-accumulates that are left, as predicted")
    params: int = told("parameters that are left, as predicted")
    measured_macs: int = told("multiply-accumulates of the network that is made")
    measured_params: int = told("its parameters")
    macs_left: float = told("the share of MACs that is left")
    params_left: float = told("the share of parameters that is left")
    latency_left: float | None = told("the share of latency that is left, measured; else null")
    stages: tuple[StageLoses, ...] = told("what goes, by stage")
    blocks: tuple[str, ...] = told("the blocks that go")
    units: Mapping[str, tuple[int, ...]] = told("the units that go, by the path of their group")
    seconds: float = told("how long it took to find")


@dataclass(frozen=True)
class BudgetsFitted:
    """What goes of a node's network for budgets of cost, from one scoring."""

    node: str = told("the node")
    criterion: str = told("by which criterion it was scored")
    scored_anew: bool = told("whether it was scored for this; else the scores were stored")
    macs: int = told("its multiply-accumulates")
    params: int = told("its parameters")
    fits: tuple[BudgetFitted, ...] = told("the choices, in the order of the budgets")
    table_seconds: float = told("how long it took to count what each structure costs")
    seconds: float = told("how long all of it took")


def fitted_view(found: NodeFitted) -> BudgetsFitted:
    """What the engine found, beside the root."""
    fitted = found.fitted
    return BudgetsFitted(
        found.node.name,
        fitted.criterion,
        found.scored_anew,
        fitted.macs,
        fitted.params,
        tuple(
            _fit(fit, budget, found) for fit, budget in zip(fitted.fits, found.budgets, strict=True)
        ),
        fitted.table_seconds,
        fitted.seconds,
    )


def _fit(fit: Fit, budget: Budget, found: NodeFitted) -> BudgetFitted:
    root = found.root.metrics
    return BudgetFitted(
        budget.macs, budget.params, budget.latency, fit.possible, fit.importance, fit.bound,
        fit.macs, fit.params, fit.measured_macs, fit.measured_params,
        100 * fit.measured_macs / root["macs"], 100 * fit.measured_params / root["params"],
        fit.measured_latency, _stages(fit, found), fit.blocks, fit.units, fit.seconds,
    )  # fmt: skip


def _stages(fit: Fit, found: NodeFitted) -> tuple[StageLoses, ...]:
    structure = found.structure
    if structure is None:
        units = sum(map(len, fit.units.values()))
        return (StageLoses("", fit.blocks, units),)
    stage_of = {block.path: block.stage for block in structure.blocks}
    of_group = {group.path: stage_of.get(group.block or "", "") for group in structure.groups}
    names = dict.fromkeys([*stage_of.values(), *of_group.values()])
    stages = (
        StageLoses(
            name,
            tuple(path for path in fit.blocks if stage_of.get(path) == name),
            sum(len(units) for path, units in fit.units.items() if of_group.get(path) == name),
        )
        for name in names
    )
    return tuple(stage for stage in stages if stage.blocks or stage.units)


def budget_words(fit: BudgetFitted) -> str:
    """`70 % MACs, 60 % parameters`."""
    shares = (
        (fit.budget_macs, "MACs"), (fit.budget_params, "parameters"), (fit.budget_latency, "time"),
    )  # fmt: skip
    return ", ".join(f"{share:g} % {word}" for share, word in shares if share is not None)


def stage_words(stage: StageLoses, unit: str = "unit") -> str:
    """`layer1: 2 blocks (layer1.2, layer1.4), 13 filters`."""
    parts = []
    if stage.blocks:
        parts.append(f"{counted(len(stage.blocks), 'block')} ({', '.join(stage.blocks)})")
    if stage.units:
        parts.append(counted(stage.units, unit))
    return f"{stage.stage or 'outside of blocks'}: {', '.join(parts)}"
