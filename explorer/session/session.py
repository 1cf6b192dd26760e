"""A session grows one run's tree: Algorithm 1, step by step or in one go.

The commands and the app both drive it. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.contracts import seeds
from explorer.session.errors import CandidatesFailedError
from explorer.session.job_runner import Listener, Work
from explorer.session.policy import (
    POLICIES,
    Margin,
    Question,
    margin_of,
    wanted,
    why_alone,
)
from store import Node

__all__ = ["CandidatesFailedError", "Listener", "Outcome", "Session", "Suggestion"]


@dataclass(frozen=True)
class Outcome:
    """How growing ended: the last kept node and why it stopped there."""

    tip: Node
    stopped: str


@dataclass(frozen=True)
class Suggestion:
    """The candidate that the run's policy would keep, why, and by what margin."""

    node: Node
    reason: str
    margin: Margin | None


class Session(Work):
    """One run's tree, growing."""

    # ------------------------------------------------------------ Algorithm 1

    async def grow(self) -> Outcome:
        """Algorithm 1 of the paper: prune, compare, keep, tune, until a reason to stop.

        What the store holds already is not done again, so this is also how a run is resumed.
        """
        parent = self.node("R")
        while (stopped := self.reason_to_stop(parent)) is None:
            candidates = await self.expand(parent)
            grown = await self.recover_all(self._wanted(parent, candidates))
            if not grown:
                return Outcome(parent, _nothing_left(self.settings.policy))
            kept = self.decide(parent, grown)
            parent = await self.tune(kept)
        return Outcome(parent, stopped)

    def reason_to_stop(self, node: Node) -> str | None:
        """Why a tree does not go on from this kept node, or None."""
        if (worth := self.not_worth_it(node)) is not None:
            return worth
        if node.depth >= self.settings.iterations:
            return f"iterations: {node.depth} done"
        return None

    def not_worth_it(self, node: Node) -> str | None:
        """Why a node lost too much, or enough is gone, or None."""
        settings, root = self.settings, self.node("R")
        removed = 100 * (1 - node.metrics["macs"] / root.metrics["macs"])
        drop = root.metrics["val_accuracy"] - node.metrics["val_accuracy"]
        if settings.max_drop is not None and drop > settings.max_drop:
            return f"max-drop: validation accuracy is {drop:.2f} points below the root's"
        if settings.target_macs is not None and removed >= settings.target_macs:
            return f"target-macs: {removed:.2f} % of the multiply-accumulates are gone"
        return None

    async def expand(self, parent: Node) -> list[Node]:
        """The candidates of a node: those in the store, else newly proposed ones."""
        proposals = self.store.proposals(parent.id)
        if any("wish" not in proposal.content for proposal in proposals):
            return self.store.children(parent.id)
        await self.propose(parent)
        return self.store.children(parent.id)

    async def propose(self, parent: Node, wish: Mapping[str, Any] | None = None) -> list[Node]:
        """New candidates: the usual pair, or the one that a person wishes for.

        A wish says what goes, {"structure": "layer", "blocks": […]} or {"structure": "filter",
        "count": N, "allocation": …}, and may name another criterion.
        """
        about: dict[str, Any] = {
            "parent": await asyncio.to_thread(self.reference, parent),
            "seed": seeds.derive(self.run.seed, parent.name, "propose"),
        }
        job = self.job("propose", parent.name, **about)
        if wish is not None:
            job = self._wished(job, parent, wish)
        proposal = await self.do(job, parent)
        edits = proposal.pop("edits")
        added: list[Node] = []
        if edits:
            added = self.store.add_candidates(parent.id, proposal=proposal, edits=edits)
            self.listener({"event": "proposed", "parent": parent.name,
                           "nodes": [node.name for node in added]})  # fmt: skip
        self.forget(job)
        return added

    def _wished(self, job: dict[str, Any], parent: Node, wish: Mapping[str, Any]) -> dict[str, Any]:
        wanted_edit = {key: value for key, value in wish.items() if key != "criterion"}
        criterion = wish.get("criterion", self.settings.criterion)
        job["settings"] = {**job["settings"], "criterion": criterion}
        job["wish"] = wanted_edit
        for proposal in self.store.proposals(parent.id):
            if proposal.content.get("criterion") == criterion:
                job["scores"] = proposal.content["scores"]
        return job

    async def recover_all(self, candidates: Sequence[Node]) -> list[Node]:
        """The candidates, recovered and measured; those that are ready already as they are.

        Raises CandidatesFailedError when one fails for good.
        """
        work = (self.recover(node) for node in candidates)
        # A failed candidate must not end its sibling's work: that result is still good.
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if isinstance(result, Node)]

    async def recover(self, node: Node) -> Node:
        """A candidate after recovery, stored with its snapshot."""
        if node.state == "ready":
            return node
        job = await asyncio.to_thread(self.recover_job, node)
        return await self.finish(node, "recovered", job)

    async def tune(self, node: Node) -> Node:
        """A kept node after the rest of its fine-tuning; the root needs none."""
        if node.structure == "root" or "tuned" in node.phases:
            return node
        job = await asyncio.to_thread(self.tune_job, node)
        return await self.finish(node, "tuned", job)

    # ------------------------------------------------------------ deciding

    def decide(self, parent: Node, grown: Sequence[Node]) -> Node:
        """The candidate that the run's policy keeps; the decision is stored."""
        decision = self.store.decision_of(parent.id)
        if decision is not None and decision.kept:
            return self.store.node_by_id(decision.kept[-1])  # the newest: so goes the kept path
        suggestion = self.suggest(parent, grown)
        self.keep(parent, [suggestion.node], suggestion, self.settings.policy, suggestion.reason)
        return self.store.node_by_id(suggestion.node.id)

    def suggest(self, parent: Node, grown: Sequence[Node]) -> Suggestion:
        """What the run's policy says of candidates that are ready; at least one must be.

        Of several candidates of one structure the most similar one stands for it.
        """
        champions: dict[str, Node] = {}
        for node in grown:
            best = champions.get(node.structure)
            if best is None or _similarity(node) > _similarity(best):
                champions[node.structure] = node
        offered = dict.fromkeys(node.structure for node in self.store.children(parent.id))
        measured = {s: node.metrics.get("similarity") for s, node in champions.items()}
        question = Question(parent.name, offered | measured, self.settings)
        choice = POLICIES[self.settings.policy](question)
        if choice.structure not in champions:  # it would take what this node no longer offers
            (structure, node), *_ = champions.items()
            return Suggestion(node, why_alone(structure, offered), None)
        return Suggestion(
            champions[choice.structure], choice.reason, self.margin(list(champions.values()))
        )

    def keep(
        self,
        parent: Node,
        kept: Sequence[Node],
        suggestion: Suggestion | None,
        actor: str,
        reason: str,
    ) -> None:
        """Stores and tells a decision, whoever made it; it supersedes the one before."""
        margin = suggestion.margin if suggestion else None
        self.store.decide(
            parent.id,
            kept=[node.id for node in kept],
            suggested=suggestion.node.id if suggestion else None,
            actor=actor,
            reason=reason,
            margin=margin.value if margin else None,
            margin_low=margin.low if margin else None,
            margin_high=margin.high if margin else None,
            too_close=margin.too_close if margin else None,
        )
        self.listener({"event": "decided", "parent": parent.name, "actor": actor,
                       "kept": ", ".join(node.name for node in kept),
                       "reason": reason, "margin": margin})  # fmt: skip

    def margin(self, grown: Sequence[Node]) -> Margin | None:
        """The margin between a layer and a filter candidate, or None where one is missing."""
        found: dict[str, tuple[float, Sequence[float]]] = {}
        for node in grown:
            if node.state == "ready" and "similarity" in node.metrics:
                resamples = self.store.resamples(node.id, "recovered") or ()
                found.setdefault(node.structure, (node.metrics["similarity"], resamples))
        if "layer" not in found or "filter" not in found:
            return None
        (layer, layer_resamples), (filters, filter_resamples) = found["layer"], found["filter"]
        return margin_of(
            layer, filters, layer_resamples, filter_resamples, self.settings.layer_bonus
        )

    def _wanted(self, parent: Node, candidates: Sequence[Node]) -> list[Node]:
        first: dict[str, Node] = {n.structure: n for n in reversed(candidates)}
        question = Question(parent.name, dict.fromkeys(first), self.settings)
        if not first:
            return []
        return [first[s] for s in wanted(self.settings.policy, tuple(first), question)]


def _similarity(node: Node) -> float:
    return node.metrics.get("similarity", float("-inf"))


def _nothing_left(policy: str) -> str:
    if policy in ("layers", "filters"):
        return f"no {policy[:-1]} left that may be removed"
    return "no structure left that may be removed"
