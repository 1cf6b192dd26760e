"""Growing a tree in the background: many nodes at a time, each until a word is needed.

The same session underneath as `auto`. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, Protocol

from engine.contracts.edits import LAYER
from engine.contracts.requests import BranchRequest, CandidateRequest
from explorer.executors.errors import JobFailedError
from explorer.session.allowance import is_below
from explorer.session.errors import NotNowError, code_of, is_mendable
from explorer.session.events import CandidatesMeasured, Exhausted, WorkFailed
from explorer.session.job_runner import is_tuned
from explorer.session.session import Session
from explorer.session.tasks import TaskTable
from store import Node

Kind = Literal["grow", "request", "branch", "expand", "recover", "tune"]
KINDS: tuple[Kind, ...] = ("recover", "grow", "request", "branch", "tune", "expand")


@dataclass(frozen=True)
class Work:
    """The key of a task: what is done to which node."""

    kind: Kind
    node_id: int


@dataclass(frozen=True)
class Asked:
    """What a person asked for, and the names of what is proposed for it so far."""

    request: CandidateRequest | BranchRequest
    made: tuple[str, ...] = ()


class Helm(Protocol):
    """Who says where the work goes."""

    def goes_on(self, node: Node) -> bool:
        """Whether a tuned node gets candidates."""

    def wanted(self, parent: Node) -> list[Node]:
        """Which of a parent's open candidates are to be measured."""

    def measured(self, parent: Node) -> None:
        """A parent's candidates are measured; or it has none that could be."""

    def branched(self, node: Node, chosen: Sequence[Node], iterations: int) -> None:
        """A branch that a person asked for is there, with so many iterations left for each."""

    def changed(self) -> None:
        """What is under way is not what it was."""


class BackgroundGrower:
    """A session's work in tasks, as its helm says. `asked` are candidates and branches that a
    person asked for and that are on their way."""

    def __init__(self, session: Session, helm: Helm) -> None:
        self.session = session
        self.store = session.store
        self.tasks: TaskTable[Work] = TaskTable(self._failed, self._cancelled, self._changed)
        self.asked: dict[Work, Asked] = {}
        self._helm = helm
        self._given_up: set[int] = set()  # candidates whose job a person cancelled

    # ------------------------------------------------------------ what is going on

    def is_growing(self, node: Node) -> bool:
        """Whether the node's candidates are being made."""
        return Work("grow", node.id) in self.tasks

    def is_unfinished(self, node: Node) -> bool:
        """Whether a candidate is still to be measured, and nobody has given it up."""
        return node.state in ("queued", "running") and node.id not in self._given_up

    def cancel(self, node: Node) -> bool:
        """Ends the work on a node; False where there is none."""
        if Work("recover", node.id) in self.tasks:
            self._given_up.add(node.id)
        # All of them, however many there are.
        return any([self.tasks.cancel(Work(kind, node.id)) for kind in KINDS])

    def stop_below(self, nodes: Sequence[Node]) -> None:
        """Ends the work in subtrees that nobody wants for now."""
        self.tasks.cancel_where(lambda work: any(self._is_below(work, top) for top in nodes))

    def works_below(self, top: Node, but: Node | None = None) -> bool:
        """Whether anything is done in the subtree of a node, `but` for that on one of its nodes."""
        passed_over = None if but is None else but.id
        return any(self._is_below(work, top) for work in self.tasks if work.node_id != passed_over)

    def _is_below(self, work: Work, top: Node) -> bool:
        return is_below(self.store.node_by_id(work.node_id).name, top.name)

    # ------------------------------------------------------------ starting

    def resume(self) -> None:
        """Takes up what was under way: unfinished candidates, kept nodes half tuned, a new root."""
        run_id = self.session.run.id
        said = self.store.annotations(run_id)
        for node in map(self.store.node_by_id, self.store.unfinished(run_id)):
            if node.id in said and said[node.id].dropped:
                continue
            if node.kept is None and node.state == "queued" and node.parent_id is not None:
                self.grow(self.store.node_by_id(node.parent_id))
            elif node.kept:
                self.grow(node)
        if self.store.num_nodes(run_id) == 1:  # a new tree
            self.grow(self.session.node("R"))

    def grow(self, node: Node) -> None:
        """Makes a node's candidates: tunes it, proposes, recovers. Raises NotNowError."""
        if node.state != "ready":
            raise NotNowError(f"{node.name} is {node.state}; only a ready node can grow")
        self._start("grow", node, partial(self._grow, node))

    def grow_if_new(self, node: Node) -> None:
        """Grows a kept node that has no candidates yet, or unfinished ones; else tunes it."""
        children = self.store.children(node.id)
        if not children or any(c.kept is None and c.state == "queued" for c in children):
            self.grow(node)
        else:
            self._start("tune", node, partial(self._tune, node))

    def candidate(self, parent: Node, request: CandidateRequest) -> None:
        """Makes one further candidate of a parent, as a person wants it. Raises NotNowError."""
        if parent.state != "ready":
            raise NotNowError(f"{parent.name} is {parent.state}; it has no weights to prune yet")
        self.asked.setdefault(Work("request", parent.id), Asked(request))
        self._start("request", parent, partial(self._candidate, parent, request))

    def branch(self, node: Node, request: BranchRequest, made: Sequence[str] = ()) -> None:
        """Grows on from any node, as a person wants it; `made` names candidates that were proposed
        for it already. Raises NotNowError."""
        if node.state != "ready":
            raise NotNowError(
                f"{node.name} is {node.state}; only a ready node can be branched from"
            )
        self.asked.setdefault(Work("branch", node.id), Asked(request, tuple(made)))
        self._start("branch", node, partial(self._branch, node, request, made))

    # ------------------------------------------------------------ the work itself

    async def _grow(self, node: Node) -> None:
        if not await self._tuned(node) or not self._helm.goes_on(self._newest(node)):
            return
        if not await self._expanded(node):
            return
        if self.store.children(node.id):
            wanted = self._helm.wanted(node)
            await self._recover(wanted)
            await self._confirm(wanted)
            self.session.emit(CandidatesMeasured(node.name))
        else:
            self.session.emit(Exhausted(node.name))
        self._helm.measured(node)

    async def _candidate(self, parent: Node, request: CandidateRequest) -> None:
        if not await self._tuned(parent):
            return
        made = await self.session.propose(self._newest(parent), request)
        self._note_made(Work("request", parent.id), made)
        await self._recover(made)
        self.session.emit(CandidatesMeasured(parent.name))

    async def _branch(self, node: Node, request: BranchRequest, made: Sequence[str]) -> None:
        await self.session.jobs.places()  # a decision is to follow: not where nothing can grow
        if not await self._tuned(node):
            return
        if made:
            chosen = [child for child in self.store.children(node.id) if child.name in made]
        elif isinstance(request.take, CandidateRequest):
            chosen = await self.session.propose(self._newest(node), request.take)
            self._note_made(Work("branch", node.id), chosen)
        elif await self._expanded(node):
            chosen = self._usual(node, request.take)
        else:
            return
        await self._recover(chosen)
        ready = [found for found in map(self._newest, chosen) if found.state == "ready"]
        if ready:  # else cancelled, or failed and told
            self._helm.branched(node, ready, request.iterations - 1)

    def _note_made(self, work: Work, made: Sequence[Node]) -> None:
        """What a person asked for is proposed: whoever goes on with it proposes nothing more."""
        if (asked := self.asked.get(work)) is not None:
            self.asked[work] = replace(asked, made=tuple(node.name for node in made))
            self._helm.changed()

    def _usual(self, node: Node, take: str) -> list[Node]:
        """The first candidate that is a layer's, or units' (`filter`, of whatever kind they are),
        or both. Raises NotNowError for none."""
        offered = self.store.children(node.id)
        wanted = {"layer": (True,), "filter": (False,)}.get(take, (True, False))
        first = (next((n for n in offered if (n.structure == LAYER) is s), None) for s in wanted)
        chosen = [candidate for candidate in first if candidate is not None]
        if not chosen:
            raise NotNowError(f"{node.name} has no {take} left that may be removed")
        return chosen

    async def _tuned(self, node: Node) -> bool:
        """Tunes a node, once however many wait for it; whether it is tuned then."""
        await self.tasks.join(Work("tune", node.id), partial(self._tune, node))
        return is_tuned(self._newest(node))

    async def _expanded(self, node: Node) -> bool:
        """Proposes a node's usual candidates, once however many wait; whether that went well."""
        return await self.tasks.join(Work("expand", node.id), partial(self._expand, node))

    async def _recover(self, candidates: Sequence[Node]) -> None:
        """Recovers candidates, each in a task of its own so that one of them can be cancelled."""
        wanted = [n for n in candidates if n.state != "ready" and n.id not in self._given_up]
        await self.tasks.join_all(
            {Work("recover", node.id): partial(self._recover_one, node) for node in wanted}
        )

    async def _confirm(self, candidates: Sequence[Node]) -> None:
        """Repeats what is too close, where all that is to be compared is there."""
        found = [self._newest(node) for node in candidates]
        if all(node.state == "ready" for node in found):
            await self.session.confirm(found)

    async def _tune(self, node: Node) -> None:
        await self.session.jobs.tune(self._newest(node))

    async def _expand(self, node: Node) -> None:
        await self.session.expand(self._newest(node))

    async def _recover_one(self, node: Node) -> None:
        await self.session.jobs.recover(self._newest(node))

    # ------------------------------------------------------------ tasks and how they end

    def tune(self, node: Node) -> None:
        """Tunes a kept node in the background."""
        self._start("tune", node, partial(self._tune, node))

    def _start(self, kind: Kind, node: Node, work: Callable[[], Awaitable[None]]) -> None:
        self._given_up.discard(node.id)
        self.tasks.start(Work(kind, node.id), work)

    def _changed(self) -> None:
        self.asked = {work: asked for work, asked in self.asked.items() if work in self.tasks}
        self._helm.changed()

    def _cancelled(self, work: Work) -> None:
        node = self.store.node_by_id(work.node_id)
        if node.id in self._given_up and node.state == "queued":
            self.session.jobs.set_state(node, "cancelled")

    def _failed(self, work: Work, error: Exception) -> None:
        """A task's failure becomes an event: the app shows it, and lives."""
        node = self.store.node_by_id(work.node_id)
        if is_mendable(error):
            cause, detail = str(error), None
        else:  # a bug of ours ends one task, not the app; it is told whole
            cause = f"{type(error).__name__}: {error}"
            detail = "".join(traceback.format_exception(error))
        code = error.error if isinstance(error, JobFailedError) else code_of(error)
        self.session.emit(WorkFailed(node.name, work.kind, cause, code, detail))

    def _newest(self, node: Node) -> Node:
        return self.store.node_by_id(node.id)
