"""A session grows one run's tree: it asks the executor for work and stores what comes back.

The only place where engine results become store rows; the commands and the app both drive it.
It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import seeds
from engine.settings import Settings
from explorer.executor import Executor, JobFailedError, WorkerDiedError
from explorer.policy import POLICIES, Margin, Question, margin_of, wanted
from store import Node, Run, TreeStore

Listener = Callable[[Mapping[str, Any]], None]
ATTEMPTS = 3  # of a job whose worker died


@dataclass(frozen=True)
class Outcome:
    """How growing ended: the last kept node and why it stopped there."""

    tip: Node
    stopped: str


class CandidatesFailedError(Exception):
    """Candidates whose work failed, so that nobody can decide between them."""


class Session:
    """One run, its store and an executor; `listener` hears of everything that happens."""

    def __init__(
        self,
        store: TreeStore,
        run: Run,
        executor: Executor,
        spool: Path,
        listener: Listener = lambda event: None,
    ) -> None:
        self.store = store
        self.run = run
        self.executor = executor
        self.spool = spool
        self.listener = listener
        self._running: set[int] = set()

    @property
    def settings(self) -> Settings:
        return Settings.from_dict(self.run.settings)

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
        settings, root = self.settings, self.node("R")
        removed = 100 * (1 - node.metrics["macs"] / root.metrics["macs"])
        drop = root.metrics["val_accuracy"] - node.metrics["val_accuracy"]
        if settings.max_drop is not None and drop > settings.max_drop:
            return f"max-drop: validation accuracy is {drop:.2f} points below the root's"
        if settings.target_macs is not None and removed >= settings.target_macs:
            return f"target-macs: {removed:.2f} % of the multiply-accumulates are gone"
        if node.depth >= settings.iterations:
            return f"iterations: {node.depth} done"
        return None

    async def expand(self, parent: Node) -> list[Node]:
        """The candidates of a node: those in the store, else newly proposed ones."""
        children = self.store.children(parent.id)
        if children:
            return children
        job = {
            **self._job("propose", parent.name),
            "parent": self.reference(parent),
            "seed": seeds.derive(self.run.seed, parent.name, "propose"),
        }
        proposal = await self._work(job, parent)
        edits = proposal.pop("edits")
        if not edits:
            return []
        added = self.store.add_candidates(parent.id, proposal=proposal, edits=edits)
        self._manifest(_key(job)).unlink(missing_ok=True)
        return added

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
        assert node.parent_id is not None and node.edit is not None
        parent = self.store.node_by_id(node.parent_id)
        job = {
            **self._job("recover", node.name),
            "parent": self.reference(parent),
            "edit": dict(node.edit),
            "seed": seeds.derive(self.run.seed, node.name, "recovered"),
            # One seed for all candidates of a parent: their resamples form pairs.
            "resample_seed": seeds.derive(self.run.seed, parent.name, "resamples"),
        }
        return await self._finish(node, "recovered", job)

    def decide(self, parent: Node, grown: Sequence[Node]) -> Node:
        """The candidate that the run's policy keeps; the decision is stored."""
        decision = self.store.decision_of(parent.id)
        if decision is not None and decision.kept:
            return self.store.node_by_id(decision.kept[0])
        by_structure: dict[str, Node] = {node.structure: node for node in grown}
        similarities = {s: node.metrics.get("similarity") for s, node in by_structure.items()}
        choice = POLICIES[self.settings.policy](Question(parent.name, similarities, self.settings))
        kept = by_structure[choice.structure]
        margin = self.margin(grown)
        self.store.decide(
            parent.id,
            kept=[kept.id],
            suggested=kept.id,
            actor=self.settings.policy,
            reason=choice.reason,
            margin=margin.value if margin else None,
            margin_low=margin.low if margin else None,
            margin_high=margin.high if margin else None,
            too_close=margin.too_close if margin else None,
        )
        self.listener({"event": "decided", "parent": parent.name, "kept": kept.name,
                       "reason": choice.reason, "margin": margin})  # fmt: skip
        return self.store.node_by_id(kept.id)

    async def tune(self, node: Node) -> Node:
        """A kept node after the rest of its fine-tuning."""
        if "tuned" in node.phases:
            return node
        job = {
            **self._job("tune", node.name),
            "node": self.reference(node),
            "seed": seeds.derive(self.run.seed, node.name, "tuned"),
        }
        return await self._finish(node, "tuned", job)

    # ------------------------------------------------------------ reading

    def node(self, name: str) -> Node:
        """A node of this run by its name. Raises UnknownNodeError."""
        return self.store.node(self.run.id, name)

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

    def architecture_of(self, node: Node) -> dict[str, Any]:
        """The root's factory and arguments with the edits from the root down to this node."""
        edits = [dict(n.edit) for n in self.store.lineage(node.id) if n.edit is not None]
        root = self.run.architecture
        return {**root, "edits": [*root.get("edits", ()), *edits]}

    def reference(self, node: Node) -> dict[str, Any]:
        """What a job needs to build this node: its architecture and its newest snapshot's file."""
        phase = "tuned" if "tuned" in node.phases else node.phases[-1]
        sha256 = self.store.snapshot_hash(node.id, phase)
        path = self.spool / f"{sha256}.safetensors"
        if not path.exists():
            self.spool.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.store.snapshot(sha256))
        return {
            "name": node.name,
            "architecture": self.architecture_of(node),
            "snapshot": {"path": str(path), "sha256": sha256},
        }

    # ------------------------------------------------------------ work

    def _wanted(self, parent: Node, candidates: Sequence[Node]) -> list[Node]:
        first: dict[str, Node] = {n.structure: n for n in reversed(candidates)}
        question = Question(parent.name, dict.fromkeys(first), self.settings)
        if not first:
            return []
        return [first[s] for s in wanted(self.settings.policy, tuple(first), question)]

    def _job(self, kind: str, name: str) -> dict[str, Any]:
        environment = self.run.environment
        return {
            "kind": kind,
            "name": name,
            "settings": {**self.run.settings, **_NOT_THE_WORKS},
            "data": dict(self.run.data),
            "execution": {k: environment[k] for k in ("device", "num_threads", "autocast")},
        }

    async def _finish(self, node: Node, phase: str, job: dict[str, Any]) -> Node:
        """Does a node's job and stores its result, whichever came before a crash."""
        if phase == "recovered" and node.state != "queued":  # failed or cancelled: tried again
            self.store.set_state(node.id, "queued")
        self._running.discard(node.id)
        try:
            result = await self._work(job, node)
        except JobFailedError as error:
            if phase == "recovered":
                self.store.set_state(node.id, "failed", f"{error.kind}: {error}")
            raise CandidatesFailedError(f"{node.name}: {error}") from error
        except asyncio.CancelledError:
            if phase == "recovered":
                self.store.set_state(node.id, "queued")
            raise
        spooled = Path(result["snapshot"]["path"])
        finished = self.store.finish(
            node.id,
            phase,  # type: ignore[arg-type]
            snapshot=spooled.read_bytes(),
            snapshot_hash=result["snapshot"]["sha256"],
            metrics=result["metrics"],
            epochs=result["epochs"],
            resamples=result.get("resamples"),
            seconds=result["seconds"],
        )
        spooled.unlink(missing_ok=True)
        self._manifest(_key(job)).unlink(missing_ok=True)
        self.listener({"event": phase, "node": finished.name, "metrics": dict(finished.metrics)})
        return finished

    async def _work(self, job: dict[str, Any], node: Node) -> dict[str, Any]:
        """The result of a job: one that a crash left in the spool folder, else the executor's."""
        key = _key(job)
        if (left := self._left_behind(key)) is not None:
            self.listener({"event": "adopted", "node": node.name, "kind": job["kind"]})
            return left

        def hear(event: Mapping[str, Any]) -> None:
            if job["kind"] == "recover" and node.id not in self._running:
                self._running.add(node.id)  # its first sign of life
                self.store.set_state(node.id, "running")
            self.listener({**event, "node": node.name, "kind": job["kind"]})

        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self.executor.run({**job, "id": uuid.uuid4().hex, "key": key}, hear)
            except WorkerDiedError as error:
                self.listener({"event": "retrying", "node": node.name, "attempt": attempt,
                               "of": ATTEMPTS, "reason": str(error)})  # fmt: skip
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _manifest(self, key: str) -> Path:
        """Where the engine leaves the result of a job until it is stored."""
        return self.spool / f"{key}.json"

    def _left_behind(self, key: str) -> dict[str, Any] | None:
        try:
            result: dict[str, Any] = json.loads(self._manifest(key).read_text())
            if "snapshot" in result:
                content = Path(result["snapshot"]["path"]).read_bytes()
                if hashlib.sha256(content).hexdigest() != result["snapshot"]["sha256"]:
                    return None
        except (OSError, ValueError):  # absent, or not whole: the work is done again
            return None
        return result


# Settings that decide when to stop, not what a node is: a job's key must not depend on them.
_NOT_THE_WORKS: dict[str, Any] = {
    "iterations": 1, "max_drop": None, "target_macs": None, "policy": "cka", "layer_bonus": 0.0,
}  # fmt: skip


def _key(job: Mapping[str, Any]) -> str:
    """A name for the work itself: the same job, asked for again, has the same key."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:32]


def _nothing_left(policy: str) -> str:
    if policy in ("layers", "filters"):
        return f"no {policy[:-1]} left that may be removed"
    return "no structure left that may be removed"
