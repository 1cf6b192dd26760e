"""A session grows one run's tree: the steps of Algorithm 1 (`explorer.session.search` takes them).

The commands and the app both drive it. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence

from engine.contracts.metrics import needed
from engine.contracts.requests import CandidateRequest
from engine.contracts.setting_sections import TrainingSettings
from engine.contracts.settings import Settings
from explorer.executors.base import Executor
from explorer.executors.errors import JobFailedError
from explorer.executors.spool_cleanup import clear_spool
from explorer.session.artifacts import Artifacts
from explorer.session.budget import Budget
from explorer.session.confirming import confirm, confirmed
from explorer.session.deciding import Suggestion, suggest
from explorer.session.documents import RunDocument, read_proposal
from explorer.session.errors import CandidatesFailedError
from explorer.session.events import CandidatesProposed, Decided, Emit, ignore
from explorer.session.job_runner import JobRunner
from store import Node, Run, TreeStore


class Session:
    """One run's tree, growing: its store, who decides, and the runner of its jobs."""

    def __init__(
        self,
        store: TreeStore,
        document: RunDocument,
        executor: Executor,
        artifacts: Artifacts,
        emit: Emit = ignore,
    ) -> None:
        self.store = store
        self.executor = executor
        self.artifacts = artifacts
        self.emit = emit
        self.jobs = JobRunner(store, document, executor, artifacts, emit)

    @property
    def document(self) -> RunDocument:
        """The run's documents as they are now."""
        return self.jobs.document

    @property
    def run(self) -> Run:
        return self.document.run

    @property
    def settings(self) -> Settings:
        return self.document.settings

    def node(self, name: str) -> Node:
        """A node of this run by its name. Raises UnknownNodeError."""
        return self.store.node(self.run.id, name)

    def node_at_tip(self) -> Node:
        """The last node of the kept path."""
        return self.store.node_by_id(self.store.tip(self.run.id))

    def on_run(self, document: RunDocument) -> Session:
        """The same store and executor, on another of its runs."""
        return Session(self.store, document, self.executor, self.artifacts, self.emit)

    async def close(self) -> None:
        """Ends all work but what was detached, and lets go of the store.

        In this order: the working folder is touched only while nobody else may write the store.
        """
        try:
            await self.executor.close()
            if not self.store.read_only:
                clear_spool(self.artifacts.spool)
        finally:
            self.store.close()

    # ------------------------------------------------------------ the steps of Algorithm 1

    def reason_to_stop(self, node: Node, budget: Budget | None = None) -> str | None:
        """Why a tree does not go on from this kept node, or None."""
        if (worth := self.not_worth_it(node, budget)) is not None:
            return worth
        if node.depth >= self.settings.search.iterations:
            return f"iterations: {node.depth} done"
        if self.decided(node) is None and (over := self.epochs_over()) is not None:
            return over
        # What is decided already costs nothing: it is gone along to where work would begin.
        if budget is not None and self.decided(node) is None:
            return budget.spent(time.time())
        return None

    def epochs_over(self) -> str | None:
        """Why no further node is grown, where as many epochs were trained as may be, or None."""
        most = self.settings.search.max_epochs
        if most is None:
            return None
        spent = epochs_spent(self.store.nodes(self.run.id), self.settings.training)
        return f"max-epochs: {spent:,} were trained" if spent >= most else None

    def lost_too_much(self, node: Node, budget: Budget | None = None) -> str | None:
        """Why a branch is given up, where its node is too far below the root, or None."""
        own = self.settings.search.max_drop
        limits = [b for b in (own, budget.max_drop if budget else None) if b is not None]
        return Budget(max_drop=min(limits)).reached(None, self._drop(node)) if limits else None

    def not_worth_it(self, node: Node, budget: Budget | None = None) -> str | None:
        """Why a node lost too much, or enough is gone, or None: by the run's own settings, then by
        a budget's."""
        search = self.settings.search
        own = Budget(target_macs=search.target_macs, max_drop=search.max_drop)
        for limits in filter(None, (own, budget)):
            drop = None if limits.max_drop is None else self._drop(node)
            removed = None if limits.target_macs is None else 100 * self.share_gone(node, "macs")
            if (reached := limits.reached(removed, drop)) is not None:
                return reached
        if search.target_params is not None:
            gone = 100 * self.share_gone(node, "params")
            if gone >= search.target_params:
                return f"target-params: {gone:.2f} % of the parameters are gone"
        return None

    def share_gone(self, node: Node, key: str) -> float:
        """How much of the root's operations (`macs`) or parameters a node does without."""
        return 1 - _measured(node, key) / _measured(self.node("R"), key)

    def _drop(self, node: Node) -> float:
        return _measured(self.node("R"), "val_accuracy") - _measured(node, "val_accuracy")

    async def expand(self, parent: Node) -> list[Node]:
        """The candidates of a node: those in the store, else newly proposed ones."""
        proposals = map(read_proposal, self.store.proposals(parent.id))
        if any(proposal.request is None for proposal in proposals):
            return self.store.children(parent.id)
        await self.propose(parent)
        return self.store.children(parent.id)

    async def propose(self, parent: Node, request: CandidateRequest | None = None) -> list[Node]:
        """New candidates: the usual pair, or the one that a person asks for.

        Scores of an earlier proposal by the same criterion serve a request again.
        """
        criterion, edit, scores = self.settings.scoring.criterion, None, None
        if request is not None:
            criterion, edit = request.criterion or criterion, request.edit
            for proposal in map(read_proposal, self.store.proposals(parent.id)):
                if proposal.criterion == criterion:
                    scores = proposal.scores
        added = await self.jobs.propose(parent, criterion, edit, scores)
        if added:
            self.emit(CandidatesProposed(parent.name, tuple(node.name for node in added)))
        return added

    async def recover_all(self, candidates: Sequence[Node]) -> list[Node]:
        """The candidates, recovered and measured; those that are ready already as they are.

        Raises CandidatesFailedError when one fails for good.
        """
        work = (self.jobs.recover(node) for node in candidates)
        # A failed candidate must not end its sibling's work: that result is still good.
        results = await asyncio.gather(*work, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if isinstance(result, Node)]

    # ------------------------------------------------------------ deciding

    def decide(self, parent: Node, measured: Sequence[Node]) -> Node:
        """The newest of what the run's policy keeps; the decision is stored."""
        if (decided := self.decided(parent)) is not None:
            return decided
        suggestion = self.suggest(parent, measured)
        policy = self.settings.search.policy
        self.keep(parent, suggestion.kept, suggestion, policy, suggestion.reason)
        return self.store.node_by_id(max(node.id for node in suggestion.kept))

    def decided(self, parent: Node) -> Node | None:
        """What is kept of a parent's candidates already: the newest, as the kept path goes."""
        decision = self.store.decision_of(parent.id)
        if decision is None or not decision.kept:
            return None
        return self.store.node_by_id(decision.kept[-1])

    def suggest(self, parent: Node, measured: Sequence[Node]) -> Suggestion:
        """What the run's policy says of candidates that are ready; at least one must be."""
        offered = self.store.children(parent.id)
        return suggest(
            parent, measured, offered, self.settings, self._resamples,
            lambda pair: confirmed(self.store, pair, self.settings),
        )  # fmt: skip

    async def confirm(self, measured: Sequence[Node]) -> None:
        """Repeats what a decision that is too close depends on, as often as `confirm` says.

        Raises CandidatesFailedError.
        """
        try:
            await confirm(self.jobs, measured)
        except JobFailedError as error:
            raise CandidatesFailedError(f"another seed: {error}") from error

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
        names = tuple(node.name for node in kept)
        self.emit(Decided(parent.name, names, actor, reason, margin))

    def _resamples(self, node: Node) -> Sequence[float]:
        return self.store.resamples(node.id, "recovered") or ()


def epochs_spent(nodes: Iterable[Node], training: TrainingSettings) -> int:
    """Passes over the training images that a run's nodes have had in all."""
    tuning = training.total_epochs - training.recovery_epochs
    of_phase = {"recovered": training.recovery_epochs, "tuned": tuning}
    return sum(of_phase.get(phase, 0) for node in nodes for phase in node.phases)


def _measured(node: Node, key: str) -> float:
    return needed(node.metrics, key, of=node.name)
