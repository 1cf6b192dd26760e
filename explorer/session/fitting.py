"""What goes of a node's network for budgets: shares of what the root costs, asked of the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.contracts.budgets import Allowed, Fitted
from engine.contracts.errors import UsageError
from engine.contracts.structure import NetworkStructure
from explorer.session.documents import read_proposal, structure_of
from explorer.session.job_runner import JobRunner, ProposedBy
from store import Node


@dataclass(frozen=True)
class Budget:
    """What may be left at most, in percent: of the root's multiply-accumulates and parameters, and
    of the node's own latency."""

    macs: float | None = None
    params: float | None = None
    latency: float | None = None


@dataclass(frozen=True)
class NodeFitted:
    """The choices for a node in the order of the budgets, beside what the root costs."""

    node: Node
    root: Node
    structure: NetworkStructure | None
    budgets: tuple[Budget, ...]
    fitted: Fitted
    scored_anew: bool


def budgets_of(
    macs: Sequence[float], params: Sequence[float], latency: Sequence[float]
) -> tuple[Budget, ...]:
    """A budget for each place of the lists; a list of one holds for all. Raises UsageError."""
    lists = {"--macs": macs, "--params": params, "--latency": latency}
    for option, given in lists.items():
        for each in given:
            if not 0 < each <= 100:
                raise UsageError(f"{option} is {each:g}; give percent that may be left, up to 100")
    most = max(map(len, lists.values()))
    for option, given in lists.items():
        if len(given) not in (0, 1, most):
            raise UsageError(
                f"{option} has {len(given)} budgets and another one {most}; give one, or as many"
            )

    def at(given: Sequence[float], place: int) -> float | None:
        return None if not given else given[place if len(given) > 1 else 0]

    return tuple(Budget(at(macs, i), at(params, i), at(latency, i)) for i in range(most))


async def fit_node(jobs: JobRunner, name: str, budgets: Sequence[Budget]) -> NodeFitted:
    """The best choice for each budget, by the node's newest scores; of a node that has none it is
    scored anew. Raises NoSuchNodeError, UsageError, JobFailedError."""
    store, document = jobs.store, jobs.document
    node, root = store.node(document.run.id, name), store.node(document.run.id, "R")
    if node.state != "ready":
        raise UsageError(f"{name} is {node.state}; only of a ready node there are weights")
    proposals = store.proposals(node.id)
    newest = read_proposal(proposals[-1]) if proposals else None
    by = None if newest is None else ProposedBy(newest.criterion, newest.scores)
    allowed = [
        Allowed(
            _of(each.macs, root.metrics["macs"]), _of(each.params, root.metrics["params"]),
            each.latency,
        )
        for each in budgets
    ]  # fmt: skip
    fitted = await jobs.fit(node, allowed, by)
    structure = structure_of(store, document, node)
    return NodeFitted(node, root, structure, tuple(budgets), fitted, by is None)


def _of(percent: float | None, whole: float) -> int | None:
    return None if percent is None else math.floor(percent / 100 * whole + 1e-6)
