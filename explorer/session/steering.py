"""Growing a tree as a person steers it: work goes on until a word is needed, then waits for it.

The same session underneath as `auto`; what this adds is who decides, what runs at the same time,
and undo. It knows neither PyTorch nor any front end.
"""

from __future__ import annotations

from collections.abc import Sequence

from explorer.session.background import USER, Growing
from explorer.session.errors import NotNowError
from explorer.session.session import Suggestion
from explorer.session.undo_stack import History, history_of
from store import Decision, Node

__all__ = ["USER", "NotNowError", "Steering"]


class Steering(Growing):
    """A session with a person at the wheel."""

    # ------------------------------------------------------------ deciding

    def approve(self, parent: Node) -> Node:
        """Keeps what is suggested. Raises NotNowError while candidates are being made."""
        suggestion = self._decidable(parent)
        self._keep(parent, [suggestion.node], f"approved: {suggestion.reason}")
        return suggestion.node

    def override(self, parent: Node) -> Node:
        """Keeps the other one. Raises NotNowError where there is no other, or more than one."""
        suggestion = self._decidable(parent)
        others = [n for n in self._ready(parent) if n.id != suggestion.node.id]
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

    def _keep(self, parent: Node, kept: Sequence[Node], reason: str) -> None:
        self.session.keep(parent, kept, self.suggestion(parent), USER, reason)
        self._stop_below([n for n in self.store.children(parent.id) if not n.kept])
        for node in kept:
            self._grow_if_new(self._newest(node))

    def _decidable(self, parent: Node) -> Suggestion:
        unfinished = [
            n.name for n in self.store.children(parent.id)
            if n.state in ("queued", "running") and n.id not in self._given_up
        ]  # fmt: skip
        if unfinished:
            raise NotNowError(
                f"{', '.join(unfinished)}: not measured yet; wait, or cancel it with x first"
            )
        suggestion = self.suggestion(parent)
        if suggestion is None:
            raise NotNowError(f"{parent.name} has no candidates yet; g makes them")
        return suggestion

    def decide_alone(self, parent: Node) -> None:
        """Decides by the policy while it may; a kept node that lost too much is where it ends."""
        children = self.store.children(parent.id)
        open_ones = [n for n in children if n.kept is None]
        ready = [n for n in open_ones if n.state == "ready"]
        # A candidate that failed is a question for a person.
        if self.alone <= 0 or not ready or len(ready) < len(open_ones):
            return
        self.alone -= 1
        suggestion = self.session.suggest(parent, ready)
        policy = self.session.settings.policy
        self.session.keep(parent, [suggestion.node], suggestion, policy, suggestion.reason)
        node = self._newest(suggestion.node)
        if (stopped := self.session.not_worth_it(node)) is not None:
            self.alone = 0
            self.session.listener({"event": "stopped", "node": node.name, "reason": stopped})
        else:
            self._grow_if_new(node)

    # ------------------------------------------------------------ undo

    def history(self) -> History:
        """What can be undone and redone."""
        return history_of(self.store.events(self.session.run.id))

    def undo(self) -> Decision:
        """Takes back the newest decision; finished weights stay. Raises NotNowError."""
        history = self.history()
        if not history.undoable:
            raise NotNowError("nothing to undo: no decision was made yet")
        undone = self.store.decision(history.undoable[-1])
        parent = self.store.node_by_id(undone.parent_id)
        before = None if undone.supersedes is None else self.store.decision(undone.supersedes)
        reason = f"undid the decision for {self._names(undone.kept)}"
        if before is None or not before.candidates:
            made = self.store.undecide(parent.id, actor=USER, reason=reason)
        else:
            made = self._repeat(before, reason)
        self._tell_undo("undo", undone, made)
        self._stop_below([n for n in self.store.children(parent.id) if not n.kept])
        return undone

    def redo(self) -> Decision:
        """Makes the decision again that was undone last. Raises NotNowError."""
        history = self.history()
        if not history.redoable:
            raise NotNowError("nothing to redo")
        again = self.store.decision(history.redoable[-1])
        made = self._repeat(again, again.reason)
        self._tell_undo("redo", again, made)
        for node_id in again.kept:
            self._grow_if_new(self.store.node_by_id(node_id))
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

    def _tell_undo(self, kind: str, of: Decision, made: Decision) -> None:
        run, parent = self.session.run, self.store.node_by_id(of.parent_id)
        self.store.add_event(run.id, kind, {"of": of.id, "decision": made.id}, parent.id)
        names = self._names(of.kept)
        self.session.listener({"event": kind, "parent": parent.name, "kept": names})

    def _names(self, node_ids: Sequence[int]) -> str:
        return ", ".join(self.store.node_by_id(i).name for i in node_ids) or "none"

    # ------------------------------------------------------------ other wishes

    def drop(self, node: Node, on: bool = True) -> None:
        """Hides a subtree (or shows it again) and ends the work in it."""
        self.store.drop(node.id, on)
        if on:
            self._stop_below([node])
        self.session.listener({"event": "annotated", "node": node.name})

    def tag(self, node: Node, tag: str, on: bool = True) -> None:
        """Gives a node a tag, or takes it away."""
        self.store.tag(node.id, tag, on)
        self.session.listener({"event": "annotated", "node": node.name})

    def note(self, node: Node, text: str) -> None:
        """Sets a node's note; an empty one removes it."""
        self.store.note(node.id, text)
        self.session.listener({"event": "annotated", "node": node.name})
