"""The half of a session that asks the executor for jobs and stores what comes back.

The only place where engine results become store rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from engine.contracts import seeds
from engine.contracts.settings import Settings
from explorer.executors.base import Executor
from explorer.executors.worker_pool import JobFailedError, WorkerDiedError
from explorer.session.errors import CandidatesFailedError
from store import (
    Node,
    Phase,
    Run,
    TreeStore,
)

Listener = Callable[[Mapping[str, Any]], None]
T = TypeVar("T")
ATTEMPTS = 3  # of a job whose worker died


class Work:
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

    def node(self, name: str) -> Node:
        """A node of this run by its name. Raises UnknownNodeError."""
        return self.store.node(self.run.id, name)

    def architecture_of(self, node: Node) -> dict[str, Any]:
        """The root's factory and arguments with the edits from the root down to this node."""
        edits = [dict(n.edit) for n in self.store.lineage(node.id) if n.edit is not None]
        root = cast(dict[str, Any], self.run.architecture)
        return {**root, "edits": [*root.get("edits", ()), *edits]}

    def reference(self, node: Node, phase: Phase | None = None) -> dict[str, Any]:
        """What a job needs to build this node: its architecture and its snapshot's file, the
        newest one where no phase is named."""
        phase = phase or ("tuned" if "tuned" in node.phases else node.phases[-1])
        sha256 = self.store.snapshot_hash(node.id, phase)
        path = self.spool / f"{sha256}.safetensors"
        if not path.exists():
            self.spool.mkdir(parents=True, exist_ok=True)
            # Renamed when whole: a file cut short by a crash must not be taken for the snapshot.
            # Under a name of its own: two candidates ask for their parent at the same time.
            unfinished = self.spool / f".{sha256}.{uuid.uuid4().hex}.tmp"
            unfinished.write_bytes(self.store.snapshot(sha256))
            unfinished.rename(path)
        return {
            "name": node.name,
            "architecture": self.architecture_of(node),
            "snapshot": {"path": str(path), "sha256": sha256},
        }

    def job(self, kind: str, name: str, **about: Any) -> dict[str, Any]:
        """What the engine is asked for, all of it: it can be retried and sent elsewhere."""
        environment = self.run.environment
        return {
            "kind": kind,
            "name": name,
            "settings": {**self.run.settings, **_NOT_THE_WORKS},
            "data": dict(self.run.data),
            "execution": {k: environment[k] for k in ("device", "num_threads", "autocast")},
            **about,
        }

    def _beside_another(self, job: dict[str, Any]) -> dict[str, Any]:
        """The job on its share of the threads, where the run grows two candidates at once."""
        at_once = cast(int, self.run.environment.get("candidates_at_once", 1))
        if at_once > 1:
            job["execution"]["num_threads"] = max(1, job["execution"]["num_threads"] // at_once)
            job["slots"] = 1
        return job

    def recover_job(self, node: Node) -> dict[str, Any]:
        """What makes a candidate's first snapshot: its parent, the edit, and seeds of its own."""
        assert node.parent_id is not None and node.edit is not None
        parent = self.store.node_by_id(node.parent_id)
        job = self.job(
            "recover",
            node.name,
            parent=self.reference(parent),
            edit=dict(node.edit),
            seed=seeds.derive(self.run.seed, node.name, "recovered"),
            # One seed for all candidates of a parent: their resamples form pairs.
            resample_seed=seeds.derive(self.run.seed, parent.name, "resamples"),
        )
        return self._beside_another(job)

    def tune_job(self, node: Node) -> dict[str, Any]:
        """What makes a candidate's second snapshot from its first one."""
        return self.job(
            "tune",
            node.name,
            node=self.reference(node, "recovered"),
            seed=seeds.derive(self.run.seed, node.name, "tuned"),
        )

    async def finish(self, node: Node, phase: str, job: dict[str, Any]) -> Node:
        """Does a node's job and stores its result, whichever came before a crash."""
        if phase == "recovered" and node.state != "queued":  # failed or cancelled: tried again
            self.set_state(node, "queued")
        self._running.discard(node.id)
        try:
            result = await self.do(job, node)
        except JobFailedError as error:
            if phase == "recovered":
                self.set_state(node, "failed", f"{error.kind}: {error}")
            raise CandidatesFailedError(f"{node.name}: {error}") from error
        except asyncio.CancelledError:
            if phase == "recovered":
                self.set_state(node, "queued")
            raise
        finished = await _to_the_end(asyncio.to_thread(self._store_result, node, phase, result))
        self.manifest(_key(job)).unlink(missing_ok=True)
        self.listener({"event": phase, "node": finished.name, "metrics": dict(finished.metrics)})
        return finished

    def _store_result(self, node: Node, phase: str, result: Mapping[str, Any]) -> Node:
        """In a thread: writing a large snapshot takes seconds."""
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
        return finished

    def set_state(self, node: Node, state: Any, error: str | None = None) -> None:
        """The node's new state, stored and told."""
        self.store.set_state(node.id, state, error)
        self.listener({"event": "state", "node": node.name, "state": state, "error": error})

    async def do(self, job: dict[str, Any], node: Node) -> dict[str, Any]:
        """The result of a job: one that a crash left in the spool folder, else the executor's."""
        key = _key(job)
        about = {"node": node.name, "kind": job["kind"]}
        left = await asyncio.to_thread(self._left_behind, key)
        if left is not None:
            self.listener({"event": "adopted", **about})
            return left

        def hear(event: Mapping[str, Any]) -> None:
            if job["kind"] == "recover" and node.id not in self._running:
                self._running.add(node.id)  # its first sign of life
                self.set_state(node, "running")
            self.listener({**event, **about})

        self.listener({"event": "asked", **about})
        try:
            return await self._tried(job, key, node, hear)
        finally:
            self.listener({"event": "answered", **about})

    async def _tried(
        self, job: dict[str, Any], key: str, node: Node, hear: Listener
    ) -> dict[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self.executor.run({**job, "id": uuid.uuid4().hex, "key": key}, hear)
            except WorkerDiedError as error:
                self.listener({"event": "retrying", "node": node.name, "attempt": attempt,
                               "of": ATTEMPTS, "reason": str(error)})  # fmt: skip
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def forget(self, job: Mapping[str, Any]) -> None:
        """Removes the result that the engine left for a job, once it is stored."""
        self.manifest(_key(job)).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Removes what waits in the spool and is stored: a kill came between the two."""
        for path in self.spool.glob("*.json"):
            with contextlib.suppress(OSError, ValueError):  # not whole: `do` looks after it
                if self._is_stored(json.loads(path.read_text())):
                    path.unlink(missing_ok=True)

    def _is_stored(self, result: Mapping[str, Any]) -> bool:
        if "snapshot" in result:
            return self.store.has_result_of(result["snapshot"]["sha256"])
        content = {key: value for key, value in result.items() if key != "edits"}
        # A proposal that was stored last has the newest nodes.
        parents = {n.parent_id for n in self.store.newest(self.run.id, 20)} - {None}
        proposals = (self.store.proposals(parent) for parent in parents if parent is not None)
        return any(content == each.content for made in proposals for each in made)

    def manifest(self, key: str) -> Path:
        """Where the engine leaves the result of a job until it is stored."""
        return self.spool / f"{key}.json"

    def _left_behind(self, key: str) -> dict[str, Any] | None:
        try:
            result: dict[str, Any] = json.loads(self.manifest(key).read_text())
            if "snapshot" in result:
                content = Path(result["snapshot"]["path"]).read_bytes()
                if hashlib.sha256(content).hexdigest() != result["snapshot"]["sha256"]:
                    return None
        except (OSError, ValueError):  # absent, or not whole: the work is done again
            return None
        return result


async def _to_the_end(work: Any) -> Any:
    """The work's result; a cancellation is heard only once the work, a transaction, is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


# Settings that decide when to stop, not what a node is: a job's key must not depend on them.
_NOT_THE_WORKS: dict[str, Any] = {
    "iterations": 1, "max_drop": None, "target_macs": None, "policy": "cka", "layer_bonus": 0.0,
}  # fmt: skip


def _key(job: Mapping[str, Any]) -> str:
    """A name for the work itself: the same job, asked for again, has the same key."""
    return hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:32]
