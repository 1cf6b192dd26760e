"""Deciding without a person: by the run's policy, where and as long as it may."""

from __future__ import annotations

import time
from collections.abc import Callable

from explorer.session.allowance import Allowance, Grant, is_below
from explorer.session.background import BackgroundGrower
from explorer.session.budget import Budget
from explorer.session.deciding import to_recover
from explorer.session.events import Stopped
from explorer.session.session import Session
from store import Node


class Alone:
    """What is left to the policy, and what becomes of it; `changed` hears of every change."""

    def __init__(
        self, session: Session, grower: BackgroundGrower, changed: Callable[[], None]
    ) -> None:
        self._session, self._store = session, session.store
        self._grower = grower
        self._changed = changed
        self._allowance = Allowance()

    # ------------------------------------------------------------ what is granted

    @property
    def grants(self) -> tuple[Grant, ...]:
        """What is left to the policy now."""
        return self._allowance.grants

    def grant(self, grant: Grant) -> None:
        """From now on this holds, in place of another from the same node."""
        self._allowance.grant(grant)
        self._changed()

    def clear(self) -> None:
        """From now on every decision is a person's."""
        self._allowance.clear()
        self._changed()

    def begin(self, budget: Budget, top: Node, *, everywhere: bool = False) -> None:
        """Grants a budget from a node on, or in every open branch, and begins with it."""
        if everywhere:
            top = self._session.node("R")
            self._allowance.clear()
        self.grant(Grant(top.name, budget))
        self.go_on(top.name, everywhere=everywhere)

    def go_on(self, top: str, *, everywhere: bool = False) -> None:
        """Decides what waits below a node; grows where nothing waits or works."""
        waiting = [parent for parent in self.waiting() if is_below(parent.name, top)]
        for parent in waiting:
            self.decide(parent)
        node = self._session.node(top)
        if everywhere:
            for tip in self._open_tips():
                self._grower.grow(tip)
        elif not waiting and not self._grower.works_below(node):
            self._grower.grow(self._end_of(node))

    def waiting(self) -> list[Node]:
        """The parents whose candidates are done and undecided, in the order they came."""
        parents = self._store.open_parents(self._session.run.id)
        return [self._store.node_by_id(parent_id) for parent_id in parents]

    def _end_of(self, node: Node) -> Node:
        """Where growing goes on from a node: at the end of what is kept below it."""
        while kept := [n for n in self._store.children(node.id) if n.kept]:
            node = kept[-1]  # the newest, as the kept path goes
        return node

    def _open_tips(self) -> list[Node]:
        """The kept nodes at which branches end that nobody has rejected or dropped."""
        said = self._store.annotations(self._session.run.id)
        found, ways = [], [self._session.node("R")]
        while ways:
            node = ways.pop()
            if node.id in said and said[node.id].dropped:
                continue
            children = self._store.children(node.id)
            ways += [child for child in children if child.kept]
            if not children and node.state == "ready":
                found.append(node)
        return found[::-1]  # as they were made

    # ------------------------------------------------------------ deciding

    def decide(self, parent: Node) -> None:
        """Decides by the policy while it may; anything else is left for a person."""
        grant = self._allowance.of(parent.name)
        if grant is None:
            return
        if not self._store.children(parent.id):
            self._end_branch(parent, "nothing more may be removed")
            return
        open_ones = self.wanted(parent)
        ready = [n for n in open_ones if n.state == "ready"]
        # A candidate that failed is a question for a person.
        if not ready or len(ready) < len(open_ones):
            return
        suggestion = self._session.suggest(parent, ready)
        budget = grant.budget
        why = budget.spent(time.time()) or budget.leaves(suggestion.margin)
        if why is not None:
            self._end_grant(parent, why)
            return
        self._allowance.spend(parent.name)
        policy = self._session.settings.search.policy
        self._session.keep(parent, suggestion.kept, suggestion, policy, suggestion.reason)
        for node in map(self._newest, suggestion.kept):
            self._grower.grow_if_new(node)
        if grant.top not in {each.top for each in self.grants}:  # that was its last one
            self._tell_over(suggestion.node, grant)
        self._changed()

    def wanted(self, parent: Node) -> list[Node]:
        """The open candidates that are to be measured: all, or what the policy needs."""
        children = self._store.children(parent.id)
        grant = self._allowance.of(parent.name)
        if grant is not None and grant.as_auto:
            children = to_recover(parent, children, self._session.settings)
        return [node for node in children if node.kept is None]

    def goes_on(self, node: Node) -> bool:
        """Whether a tuned node gets candidates: not where it has lost too much, or enough."""
        grant = self._allowance.of(node.name)
        if grant is None:
            return True
        if (why := self._session.not_worth_it(node, grant.budget)) is not None:
            self._end_branch(node, why)
            return False
        if grant.as_auto and (why := grant.budget.spent(time.time())) is not None:
            self._end_grant(node, why)
            return False
        return True

    # ------------------------------------------------------------ the end of it

    def _end_branch(self, node: Node, why: str) -> None:
        """It is over in the branch of a node; with the last branch the grant is."""
        grant = self._allowance.of(node.name)
        if grant is None:
            return
        if self._grower.works_below(self._session.node(grant.top), but=node):
            self._session.emit(Stopped(node.name, why))
        else:
            self._end_grant(node, why)

    def _end_grant(self, node: Node, why: str) -> None:
        ended = self._allowance.end(node.name)
        if ended is not None:
            self._session.emit(Stopped(node.name, why, over=True, made=ended.made))
            self._changed()

    def _tell_over(self, node: Node, before: Grant) -> None:
        why = before.budget.after_one().spent(time.time()) or "that was the last one"
        self._session.emit(Stopped(node.name, why, over=True, made=before.made + 1))

    def _newest(self, node: Node) -> Node:
        return self._store.node_by_id(node.id)
