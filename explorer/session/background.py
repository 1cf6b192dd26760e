"""Growing a tree in the background: many nodes at a time, each until a word is needed.

The same session underneath as `auto`. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from explorer.executors.worker_pool import JobFailedError
from explorer.session.errors import NotNowError
from explorer.session.session import CandidatesFailedError, Session, Suggestion
from store import Node, StoreError

USER = "user"


class Growing:
    """A session whose work goes on in tasks; `alone` counts the decisions it may make itself."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.store = session.store
        self.alone = 0
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._failures = 0
        self._given_up: set[int] = set()  # candidates whose job a person cancelled

    # ------------------------------------------------------------ what is going on

    @property
    def busy(self) -> bool:
        """Whether any work is under way or waiting for its turn."""
        return bool(self._tasks)

    @property
    def paused(self) -> bool:
        return self.session.executor.paused

    def is_growing(self, node: Node) -> bool:
        """Whether the node's candidates are being made."""
        return ("grow", node.id) in self._tasks

    def suggestion(self, parent: Node) -> Suggestion | None:
        """What the policy would keep of a parent's ready candidates, None without any."""
        ready = [n for n in self.store.children(parent.id) if n.state == "ready"]
        return self.session.suggest(parent, ready) if ready else None

    def waiting(self) -> list[Node]:
        """The parents whose candidates are done and undecided, in the order they came."""
        parents = self.store.open_parents(self.session.run.id)
        return [self.store.node_by_id(parent_id) for parent_id in parents]

    # ------------------------------------------------------------ growing

    def resume(self) -> None:
        """Takes up what was under way: unfinished candidates, kept nodes half tuned, a new root."""
        run_id = self.session.run.id
        said = self.store.annotations(run_id)
        unfinished = [self.store.node_by_id(i) for i in self.store.unfinished(run_id)]
        for node in unfinished:
            if node.id in said and said[node.id].dropped:
                continue
            if node.kept is None and node.state == "queued" and node.parent_id is not None:
                self.grow(self.store.node_by_id(node.parent_id))
            elif node.kept:
                self.grow(node)
        if self.store.num_nodes(run_id) == 1:  # a new tree
            self.grow(self.session.node("R"))

    def grow(self, node: Node) -> None:
        """Makes a node's candidates in the background: tunes it, proposes, recovers."""
        if node.state != "ready":
            raise NotNowError(f"{node.name} is {node.state}; only a ready node can grow")
        self._start(("grow", node.id), partial(self._grow, node), node)

    def candidate(self, parent: Node, wish: Mapping[str, Any]) -> None:
        """Makes one further candidate of a parent, as a person wants it."""
        if parent.state != "ready":
            raise NotNowError(f"{parent.name} is {parent.state}; it has no weights to prune yet")
        self._start(("wish", parent.id), partial(self._candidate, parent, wish), parent)

    def branch(self, node: Node, take: str, iterations: int = 1) -> None:
        """Grows on from any node: keeps the candidate of structure `take` (or "both") beside what
        is kept there already, and decides alone below it until `iterations` are done."""
        if node.state != "ready":
            raise NotNowError(
                f"{node.name} is {node.state}; only a ready node can be branched from"
            )
        self._start(("branch", node.id), partial(self._branch, node, take, iterations), node)

    def branch_wish(self, node: Node, wish: Mapping[str, Any], iterations: int = 1) -> None:
        """As `branch`, with the one candidate that a person wishes for."""
        if node.state != "ready":
            raise NotNowError(
                f"{node.name} is {node.state}; only a ready node can be branched from"
            )
        self._start(("branch", node.id), partial(self._branch_wish, node, wish, iterations), node)

    def let_decide(self, count: int) -> None:
        """Decides the next `count` nodes alone, by the run's policy."""
        self.alone = count
        waiting = self.waiting()
        if waiting:
            for parent in waiting:
                self.decide_alone(parent)
        elif not self._tasks:
            self.grow(self.tip())

    def tip(self) -> Node:
        """The last node of the kept path, along each parent's newest kept child."""
        return self.store.node_by_id(self.store.tip(self.session.run.id))

    async def _grow(self, node: Node) -> None:
        if not await self._tuned(node) or not await self._expanded(node):
            return
        candidates = [n for n in self.store.children(node.id) if n.kept is None]
        if not candidates and not self.store.children(node.id):
            self.session.listener({"event": "exhausted", "node": node.name})
            return
        await self._recover(candidates)
        self.session.listener({"event": "waiting", "parent": node.name})
        self.decide_alone(node)

    async def _tuned(self, node: Node) -> bool:
        """Tunes a node, once however many wait for it; whether it is tuned then."""
        await self._once("tune", node, partial(self._tune, node))
        newest = self._newest(node)
        return newest.structure == "root" or "tuned" in newest.phases

    async def _expanded(self, node: Node) -> bool:
        """Proposes a node's usual candidates, once however many wait; False where that failed."""
        before = self._failures
        await self._once("expand", node, partial(self._expand, node))
        return self._failures == before

    async def _expand(self, node: Node) -> None:
        await self.session.expand(self._newest(node))

    async def _once(self, kind: str, node: Node, work: Callable[[], Awaitable[None]]) -> None:
        """Joins work that is under way, or starts it. Who is cancelled ends it for all."""
        self._start((kind, node.id), work, node)
        task = self._tasks[kind, node.id]
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            raise

    async def _recover(self, candidates: Sequence[Node]) -> None:
        """Recovers candidates, each in a task of its own so that one of them can be cancelled."""
        wanted = [n for n in candidates if n.state != "ready" and n.id not in self._given_up]
        for node in wanted:
            self._start(("recover", node.id), partial(self._recover_one, node), node)
        tasks = [t for n in wanted if (t := self._tasks.get(("recover", n.id))) is not None]
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise

    async def _recover_one(self, node: Node) -> None:
        await self.session.recover(self.store.node_by_id(node.id))

    async def _candidate(self, parent: Node, wish: Mapping[str, Any]) -> None:
        if not await self._tuned(parent):
            return
        parent = self._newest(parent)
        added = await self.session.propose(parent, wish)
        await self._recover(added)
        self.session.listener({"event": "waiting", "parent": parent.name})

    async def _branch(self, node: Node, take: str, iterations: int) -> None:
        if not await self._tuned(node) or not await self._expanded(node):
            return
        offered = self.store.children(node.id)
        structures = ("layer", "filter") if take == "both" else (take,)
        first = {s: next((n for n in offered if n.structure == s), None) for s in structures}
        chosen = [candidate for candidate in first.values() if candidate is not None]
        if not chosen:
            raise NotNowError(f"{node.name} has no {take} left that may be removed")
        await self._keep_branches(node, chosen, iterations)

    async def _branch_wish(self, node: Node, wish: Mapping[str, Any], iterations: int) -> None:
        if not await self._tuned(node):
            return
        node = self._newest(node)
        await self._keep_branches(node, await self.session.propose(node, wish), iterations)

    async def _keep_branches(self, node: Node, chosen: Sequence[Node], iterations: int) -> None:
        """Recovers the chosen candidates, keeps them beside what is kept, and goes on in each."""
        await self._recover(chosen)
        chosen = [n for n in map(self._newest, chosen) if n.state == "ready"]
        if not chosen:
            return  # cancelled, or failed and told
        children = self.store.children(node.id)
        kept = [n for n in children if n.kept or n.id in {c.id for c in chosen}]
        names = ", ".join(c.name for c in chosen)
        self.session.keep(node, kept, self.suggestion(node), USER, f"branched: {names}")
        self.alone += (iterations - 1) * len(chosen)
        for child in chosen:
            if iterations > 1:
                self.grow(self._newest(child))
            else:
                self._start(("tune", child.id), partial(self._tune, child), child)

    # ------------------------------------------------------------ work

    def cancel(self, node: Node) -> bool:
        """Ends the work on a node; False where there is none."""
        found = False
        for kind in ("recover", "grow", "wish", "branch", "tune", "expand"):
            task = self._tasks.get((kind, node.id))
            if task is not None:
                if kind == "recover":
                    self._given_up.add(node.id)
                found = task.cancel() or found
        return found

    def pause(self) -> None:
        """Stops all work where it stands; nothing is lost."""
        self.session.executor.pause()
        self.session.listener({"event": "paused", "paused": True})

    def go_on(self) -> None:
        """Lets the work go on where it was stopped."""
        self.session.executor.resume()
        self.session.listener({"event": "paused", "paused": False})

    async def idle(self) -> None:
        """Returns once no work is left."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
            await asyncio.sleep(0)  # for the tasks' callbacks

    async def stop(self) -> None:
        """Ends all work; what was finished is stored."""
        self.alone = 0
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ------------------------------------------------------------ tasks

    def _start(self, key: tuple[str, int], work: Callable[[], Awaitable[None]], node: Node) -> None:
        if key in self._tasks:
            return
        self._given_up.discard(node.id)
        task = asyncio.ensure_future(self._guarded(key, work, node))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _guarded(
        self, key: tuple[str, int], work: Callable[[], Awaitable[None]], node: Node
    ) -> None:
        """A task's failure becomes an event: the app shows it, and lives."""
        try:
            await work()
        except asyncio.CancelledError:
            if node.id in self._given_up and self._newest(node).state == "queued":
                self.session.set_state(node, "cancelled")
            self.session.listener({"event": "ended", "node": node.name, "kind": key[0]})
            raise
        except (JobFailedError, CandidatesFailedError, StoreError, NotNowError) as error:
            self._tell_problem(key[0], node, error)
        except Exception as error:  # a bug of ours ends one task, not the app; it is told whole
            self._tell_problem(key[0], node, error, traceback.format_exc())

    def _tell_problem(
        self, work: str, node: Node, error: Exception, detail: str | None = None
    ) -> None:
        self._failures += 1
        cause = str(error) if detail is None else f"{type(error).__name__}: {error}"
        self.session.listener({"event": "problem", "node": node.name, "work": work, "cause": cause,
                               "kind": type(error).__name__, "detail": detail})  # fmt: skip

    def _stop_below(self, nodes: Sequence[Node]) -> None:
        """Ends the work in subtrees that nobody wants for now."""
        names = tuple(node.name for node in nodes)
        for (_, node_id), task in list(self._tasks.items()):
            name = self.store.node_by_id(node_id).name
            if any(name == top or name.startswith(top + ".") for top in names):
                task.cancel()

    def _grow_if_new(self, node: Node) -> None:
        """Grows a kept node that has no candidates yet, or unfinished ones."""
        children = self.store.children(node.id)
        if not children or any(c.kept is None and c.state == "queued" for c in children):
            self.grow(node)
        else:
            self._start(("tune", node.id), partial(self._tune, node), node)

    async def _tune(self, node: Node) -> None:
        await self.session.tune(self._newest(node))

    def _ready(self, parent: Node) -> list[Node]:
        return [n for n in self.store.children(parent.id) if n.state == "ready"]

    def _newest(self, node: Node) -> Node:
        return self.store.node_by_id(node.id)

    def decide_alone(self, parent: Node) -> None:
        """Decides by the policy while it may; called whenever candidates are measured."""
        raise NotImplementedError
