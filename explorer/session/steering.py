"""Growing a tree as a person steers it: work goes on until a word is needed, then waits for it.

The same session underneath as `auto`; what this adds is who decides, what runs at the same time,
and undo. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.contracts.requests import BranchRequest, CandidateRequest
from explorer.session.allowance import Grant
from explorer.session.alone import Alone
from explorer.session.background import BackgroundGrower
from explorer.session.budget import Budget
from explorer.session.deciding import Suggestion
from explorer.session.errors import NotNowError
from explorer.session.events import (
    Annotated,
    DecisionRedone,
    DecisionUndone,
    PauseChanged,
)
from explorer.session.policy import USER
from explorer.session.session import Session
from explorer.session.undo_stack import UndoStack, undo_stack_of
from store import Decision, Node

BRANCHED = "branched: "  # how the reason of a branch begins
LAST_EVENTS = 200  # in which the newest decision of a growing tree is found


class Steering:
    """A session steered by a person; `alone` makes the decisions that are left to the policy."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.store = session.store
        self.grower = BackgroundGrower(session, self)
        self.alone = Alone(session, self.grower, self.changed)
        self.on_change: Callable[[], None] = lambda: None  # hears when what is to be done changes
        self._undone_next: tuple[int, int | None] | None = None  # at which event, whose decision

    # ------------------------------------------------------------ what is going on

    @property
    def busy(self) -> bool:
        """Whether any work is under way or waiting for its turn."""
        return bool(self.grower.tasks)

    @property
    def paused(self) -> bool:
        return self.session.executor.paused

    def is_growing(self, node: Node) -> bool:
        """Whether the node's candidates are being made."""
        return self.grower.is_growing(node)

    def suggestion(self, parent: Node) -> Suggestion | None:
        """What the policy would keep of a parent's ready candidates, None without any."""
        ready = self._ready(parent)
        return self.session.suggest(parent, ready) if ready else None

    def waiting(self) -> list[Node]:
        """The parents whose candidates are done and await a word, in the order they came: a
        further candidate of a decided one waits for nobody."""
        children = self.store.children
        return [
            parent
            for parent in self.alone.waiting()
            if all(child.kept is None for child in children(parent.id))
        ]

    def awaited(self, parent: Node) -> list[Node]:
        """A parent's candidates that are still to be measured before it can be decided."""
        return [n for n in self.store.children(parent.id) if self.grower.is_unfinished(n)]

    def tip(self) -> Node:
        """The last node of the kept path."""
        return self.session.node_at_tip()

    # ------------------------------------------------------------ work

    def resume(self) -> None:
        """Takes up what was under way when the run was left."""
        self.grower.resume()

    def grow(self, node: Node) -> None:
        """Makes a node's candidates in the background. Raises NotNowError."""
        self.grower.grow(node)

    def candidate(self, parent: Node, request: CandidateRequest) -> None:
        """Makes one further candidate of a parent, as a person wants it. Raises NotNowError."""
        self.grower.candidate(parent, request)

    def branch(self, node: Node, request: BranchRequest) -> None:
        """Grows on from any node beside what is kept there. Raises NotNowError."""
        self.grower.branch(node, request)

    def cancel(self, node: Node) -> bool:
        """Ends the work on a node; False where there is none."""
        return self.grower.cancel(node)

    def pause(self) -> None:
        """Stops all work where it stands; nothing is lost. Raises NotNowError where it cannot."""
        if not self.session.executor.can_pause:
            raise NotNowError("work that runs in this very process cannot be paused; cancel it")
        self.session.executor.pause()
        self.session.emit(PauseChanged(True))

    def go_on(self) -> None:
        """Lets the work go on where it was stopped."""
        self.session.executor.resume()
        self.session.emit(PauseChanged(False))

    async def idle(self) -> None:
        """Returns once no work is left."""
        await self.grower.tasks.idle()

    async def stop(self) -> None:
        """Ends all work; what was finished is stored."""
        self.decide_no_more()
        await self.grower.tasks.stop()

    # ------------------------------------------------------------ deciding

    def approve(self, parent: Node) -> Node:
        """Keeps what is suggested. Raises NotNowError while candidates are being made."""
        suggestion = self._decidable(parent)
        self._keep(parent, suggestion.kept, f"approved: {suggestion.reason}")
        return suggestion.node

    def override(self, parent: Node) -> Node:
        """Keeps the other one. Raises NotNowError where there is no other, or more than one."""
        suggestion = self._decidable(parent)
        kept = {node.id for node in suggestion.kept}
        others = [n for n in self._ready(parent) if n.id not in kept]
        if len(others) != 1:
            raise NotNowError(
                f"{parent.name} has {len(others) or 'no'} other candidates; choose which to keep"
            )
        self._keep(parent, others, f"overrode {suggestion.node.name}: {suggestion.reason}")
        return others[0]

    def keep_both(self, parent: Node) -> list[Node]:
        """Keeps every ready candidate and goes on in each."""
        self._decidable(parent)
        ready = self._ready(parent)
        if len(ready) < 2:
            raise NotNowError(f"{parent.name} has only one candidate; approve it with a")
        self._keep(parent, ready, "kept " + " and ".join(n.name for n in ready))
        return ready

    def choose(self, parent: Node, names: Sequence[str]) -> None:
        """Keeps the named candidates; the work on the others that are unfinished ends."""
        children = {n.name: n for n in self.store.children(parent.id)}
        chosen = [children[name] for name in names]
        for node in chosen:
            if node.state != "ready":
                raise NotNowError(f"{node.name} is {node.state}; only a ready node can be kept")
        for node in children.values():
            if node.state in ("queued", "running"):
                self.cancel(node)
        self._keep(parent, chosen, "chose " + ", ".join(names) if names else "kept none")

    def let_decide(self, budget: Budget, top: Node, *, everywhere: bool = False) -> None:
        """Decides alone from a node on, by the run's policy, within a budget: in the branch that is
        kept there, or, `everywhere`, in every open branch of the tree."""
        self.alone.begin(budget, top, everywhere=everywhere)

    def decide_no_more(self) -> None:
        """From now on every decision is a person's."""
        self.alone.clear()

    # ------------------------------------------------------------ at the grower's helm

    def measured(self, parent: Node) -> None:
        """A parent's candidates are there to be decided on."""
        self.alone.decide(parent)

    def wanted(self, parent: Node) -> list[Node]:
        """Which of a parent's open candidates are to be measured."""
        return self.alone.wanted(parent)

    def goes_on(self, node: Node) -> bool:
        """Whether a tuned node gets candidates."""
        return self.alone.goes_on(node)

    def branched(self, node: Node, chosen: Sequence[Node], iterations: int) -> None:
        """Keeps what a person branched to beside what is kept, and goes on in each."""
        ids = {candidate.id for candidate in chosen}
        kept = [n for n in self.store.children(node.id) if n.kept or n.id in ids]
        names = ", ".join(candidate.name for candidate in chosen)
        self.session.keep(node, kept, self.suggestion(node), USER, f"{BRANCHED}{names}")
        for candidate in chosen:
            self.alone.grant(Grant(candidate.name, Budget(decisions=iterations)))
            if iterations > 0:
                self.grow(self._newest(candidate))
            else:
                self.grower.tune(candidate)

    def changed(self) -> None:
        """What is still to be done is not what it was."""
        self.on_change()

    # ------------------------------------------------------------ what a person decides

    def _keep(self, parent: Node, kept: Sequence[Node], reason: str) -> None:
        self.session.keep(parent, kept, self.suggestion(parent), USER, reason)
        self._stop_below_rejected(parent)
        for node in kept:
            self.grower.grow_if_new(self._newest(node))

    def _decidable(self, parent: Node) -> Suggestion:
        if awaited := self.awaited(parent):
            names = ", ".join(node.name for node in awaited)
            raise NotNowError(f"{names}: not measured yet; wait, or cancel it with x first")
        suggestion = self.suggestion(parent)
        if suggestion is None:
            raise NotNowError(f"{parent.name} has no candidates yet; g makes them")
        return suggestion

    # ------------------------------------------------------------ undo

    def undo_stack(self) -> UndoStack:
        """What can be undone and redone."""
        return undo_stack_of(self.store.events(self.session.run.id))

    def undoes(self, parent: Node) -> bool:
        """Whether undoing now would take back the decision on this node's candidates."""
        newest = self.store.last_event_id(self.session.run.id)
        if self._undone_next is None or self._undone_next[0] != newest:
            self._undone_next = newest, self._next_to_undo(newest)
        return self._undone_next[1] == parent.id

    def _next_to_undo(self, newest: int) -> int | None:
        """The parent whose decision is the next to be undone. Mostly that is the newest one, so
        that the log of a large tree need not be read."""
        last = self.store.events(self.session.run.id, after=newest - LAST_EVENTS)
        for event in reversed(last):
            if event.kind in ("decision", "redo"):
                return event.node_id
            if event.kind == "undo":
                break
        undoable = self.undo_stack().undoable
        return self.store.decision(undoable[-1]).parent_id if undoable else None

    def undo(self) -> Decision:
        """Takes back the newest decision; finished weights stay. Raises NotNowError."""
        stack = self.undo_stack()
        if not stack.undoable:
            raise NotNowError("nothing to undo: no decision was made yet")
        undone = self.store.decision(stack.undoable[-1])
        parent = self.store.node_by_id(undone.parent_id)
        before = None if undone.supersedes is None else self.store.decision(undone.supersedes)
        reason = f"undid the decision for {', '.join(self._names(undone.kept)) or 'none'}"
        if before is None or not before.candidates:
            made = self.store.undecide(parent.id, actor=USER, reason=reason)
        else:
            made = self._repeat(before, reason)
        self._log("undo", undone, made)
        self.session.emit(DecisionUndone(parent.name, self._names(undone.kept)))
        self._stop_below_rejected(parent)
        return undone

    def redo(self) -> Decision:
        """Makes the decision again that was undone last. Raises NotNowError."""
        stack = self.undo_stack()
        if not stack.redoable:
            raise NotNowError("nothing to redo")
        again = self.store.decision(stack.redoable[-1])
        parent = self.store.node_by_id(again.parent_id)
        made = self._repeat(again, again.reason)
        self._log("redo", again, made)
        self.session.emit(DecisionRedone(parent.name, self._names(again.kept)))
        for node_id in again.kept:
            self.grower.grow_if_new(self.store.node_by_id(node_id))
        return again

    def _repeat(self, decision: Decision, reason: str) -> Decision:
        return self.store.decide(
            decision.parent_id,
            kept=decision.kept,
            suggested=decision.suggested,
            actor=decision.actor,
            reason=reason,
            margin=decision.margin,
            margin_low=decision.margin_low,
            margin_high=decision.margin_high,
            too_close=decision.too_close,
        )

    def _log(self, kind: str, of: Decision, made: Decision) -> None:
        """Says in the log what a decision was for: that it undoes or repeats another."""
        told = {"of": of.id, "decision": made.id}
        self.store.add_event(self.session.run.id, kind, told, of.parent_id)

    def _names(self, node_ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.store.node_by_id(i).name for i in node_ids)

    # ------------------------------------------------------------ other words on a node

    def drop(self, node: Node, on: bool = True) -> None:
        """Hides a subtree (or shows it again) and ends the work in it."""
        self.store.drop(node.id, on)
        if on:
            self.grower.stop_below([node])
        self.session.emit(Annotated(node.name))

    def tag(self, node: Node, tag: str, on: bool = True) -> None:
        """Gives a node a tag, or takes it away."""
        self.store.tag(node.id, tag, on)
        self.session.emit(Annotated(node.name))

    def note(self, node: Node, text: str) -> None:
        """Sets a node's note; an empty one removes it."""
        self.store.note(node.id, text)
        self.session.emit(Annotated(node.name))

    # ------------------------------------------------------------ what they share

    def _stop_below_rejected(self, parent: Node) -> None:
        self.grower.stop_below([n for n in self.store.children(parent.id) if not n.kept])

    def _ready(self, parent: Node) -> list[Node]:
        return [n for n in self.store.children(parent.id) if n.state == "ready"]

    def _newest(self, node: Node) -> Node:
        return self.store.node_by_id(node.id)
