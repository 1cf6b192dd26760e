"""What is still to be done: kept as a plan while a tree is steered, taken up by who comes next.

A plan says as of which line of the log it holds. What came after it (a process may be killed
between a decision and the file) is read from the log, so that nothing is done twice or lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from engine.contracts.errors import UserError
from engine.contracts.events import Noted
from engine.contracts.requests import BranchRequest, CandidateRequest
from explorer.session.allowance import Allowance, Grant
from explorer.session.background import Work
from explorer.session.budget import Budget
from explorer.session.documents import read_proposal
from explorer.session.log_payload import payload_of
from explorer.session.plan import (
    AskedBranch,
    AskedCandidate,
    Plan,
    PlanError,
    fetch,
    read_plan,
    remove_plan,
    set_aside,
    write_plan,
)
from explorer.session.policy import USER
from explorer.session.steering import BRANCHED, Steering
from store import Event, Node, Run, TreeStore, UnknownNodeError

_MOST_EVENTS = 200_000  # after a plan that are read


def plan_of(steering: Steering) -> Plan:
    """What is still to be done now."""
    run, store, grower = steering.session.run, steering.store, steering.grower

    def name(work: Work) -> str:
        return store.node_by_id(work.node_id).name

    asked = [(name(work), each) for work, each in grower.asked.items()]
    return Plan(
        run=run.uuid,
        event=store.last_event_id(run.id),
        grants=steering.alone.grants,
        growing=tuple(name(work) for work in grower.tasks if work.kind == "grow"),
        candidates=tuple(
            AskedCandidate(node, each.request)
            for node, each in asked
            if isinstance(each.request, CandidateRequest) and not each.made
        ),
        branches=tuple(
            AskedBranch(node, each.request, each.made)
            for node, each in asked
            if isinstance(each.request, BranchRequest)
        ),
    )


# ------------------------------------------------------------ keeping it


class PlanKeeper:
    """Keeps the plan of a working folder as the steering stands, until it is let go."""

    def __init__(self, steering: Steering) -> None:
        self._steering = steering
        self._spool: Path = steering.session.artifacts.spool
        self._written: Plan | None = None
        self._is_due = self._let_go = self._told = False
        steering.on_change = self._soon

    def _soon(self) -> None:
        """Once the changes of this moment are all made."""
        if not self._is_due and not self._let_go:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._write_if_due)

    def _write_if_due(self) -> None:
        self._is_due = False
        if not self._let_go:
            self.write()

    def write(self) -> None:
        """Writes the plan where it has changed; where that fails, it is told once."""
        plan = plan_of(self._steering)
        if self._written is not None and replace(plan, event=self._written.event) == self._written:
            return
        try:
            write_plan(self._spool, plan)
            self._written = plan
        except UserError as error:
            if not self._told:
                words = f"what is still to be done is not kept for later: {error}"
                self._steering.session.emit(Noted(words))
            self._told = True

    def let_go(self) -> None:
        """Leaves the plan as it is now to whoever works next; what changes later is not in it."""
        if not self._let_go:
            self.write()
        self._let_go = True


# ------------------------------------------------------------ taking it up


def make_way(store: TreeStore, spool: Path, run: Run) -> Run | None:
    """Makes a run the one whose plan is the folder's: another run's waits from here on, and that
    run is given. Raises PlanError where the folder's cannot be read, UserError."""
    plan = read_plan(spool)
    owner = None
    if plan is not None and plan.run != run.uuid:
        owner = next((each for each in store.runs() if each.uuid == plan.run), None)
    if owner is not None:
        set_aside(spool, owner.id)
    fetch(spool, run.id)
    return owner


def _plan_left(steering: Steering) -> Plan | None:
    """What the folder says is still to be done in this run. Raises PlanError."""
    session = steering.session
    spool, run = session.artifacts.spool, session.run
    try:
        owner = make_way(session.store, spool, run)
    except PlanError:
        remove_plan(spool)  # it says nothing; what waits for this run is told the next time
        raise
    except UserError as error:
        raise PlanError(f"what is still to be done in another run is not kept: {error}") from error
    if owner is not None:
        words = f"what is still to be done in run {owner.name} waits until that run is opened"
        session.emit(Noted(words))
    plan = read_plan(spool)
    return None if plan is None else _as_of_now(steering, plan)


def plan_now(steering: Steering) -> Plan | None:
    """What the folder's plan says, with all that came after it put in; None where there is none.

    A plan that cannot be followed is told, and then there is none; that of another run of the store
    waits for it.
    """
    try:
        return _plan_left(steering)
    except PlanError as error:
        steering.session.emit(Noted(str(error)))
        return None


def with_grant(steering: Steering, plan: Plan | None, grant: Grant) -> Plan:
    """A plan to which a grant is added, and growing from its top; all else that was still to be
    done stays so. Another grant from the same node gives way."""
    session = steering.session
    before = plan or Plan(session.run.uuid, 0)
    return replace(
        before,
        event=session.store.last_event_id(session.run.id),
        grants=(*(each for each in before.grants if each.top != grant.top), grant),
        growing=tuple(dict.fromkeys((*before.growing, grant.top))),
    )


def take_up(steering: Steering) -> PlanKeeper:
    """Goes on with what is unfinished, and with what the folder's plan says; from now on it is
    kept."""
    plan = plan_now(steering)
    keeper = PlanKeeper(steering)
    for grant in plan.grants if plan else ():
        steering.alone.grant(grant)
    steering.resume()
    if plan is not None:
        _start(steering, plan)
    keeper.write()
    return keeper


def _start(steering: Steering, plan: Plan) -> None:
    """Begins what a plan says beside what the store says itself."""
    node = steering.session.node
    for name in plan.growing:
        if node(name).state == "ready":
            steering.grow(node(name))
    for candidate in plan.candidates:
        if node(candidate.node).state == "ready":
            steering.candidate(node(candidate.node), candidate.request)
    for branch in plan.branches:
        if node(branch.node).state == "ready":
            steering.grower.branch(node(branch.node), branch.request, branch.made)
    for grant in plan.grants:
        steering.alone.go_on(grant.top)


def _as_of_now(steering: Steering, plan: Plan) -> Plan:
    """The plan with all that came after it put in. Raises PlanError."""
    run, store = steering.session.run, steering.store
    if plan.run != run.uuid or plan.event > store.last_event_id(run.id):
        raise PlanError(
            "what was still to be done here was of another run than this one; it is passed over"
        )
    _check_nodes(steering, plan)
    events = store.events(run.id, after=plan.event, limit=_MOST_EVENTS)
    made_again = {payload_of(e).decision for e in events if e.kind in ("undo", "redo")}
    alone = Allowance()
    for grant in plan.grants:
        alone.grant(grant)
    candidates, branches = list(plan.candidates), list(plan.branches)
    for event in events:
        if event.kind == "candidates":
            candidates, branches = _proposed(steering, event, candidates, branches)
        elif event.kind == "decision" and payload_of(event).decision not in made_again:
            branches = _decided(event, alone, branches)
    return replace(
        plan, grants=alone.grants, candidates=tuple(candidates), branches=tuple(branches)
    )


def _check_nodes(steering: Steering, plan: Plan) -> None:
    for name in plan.names:
        try:
            steering.session.node(name)
        except UnknownNodeError:
            raise PlanError(
                f"what was still to be done here names {name[:80]!r}, which this tree does not "
                "have; it is passed over"
            ) from None


def _proposed(
    steering: Steering,
    event: Event,
    candidates: list[AskedCandidate],
    branches: list[AskedBranch],
) -> tuple[list[AskedCandidate], list[AskedBranch]]:
    """What is left to be asked for once a proposal of the log is put in."""
    told = payload_of(event)
    parent: Node = steering.session.node(told.parent)
    (edit,) = (
        read_proposal(each).request
        for each in steering.store.proposals(parent.id)
        if each.id == told.proposal
    )
    if edit is None:
        return candidates, branches
    for place, each in enumerate(candidates):
        if each.node == told.parent and each.request.edit == edit:
            return candidates[:place] + candidates[place + 1 :], branches
    for place, branch in enumerate(branches):
        take = branch.request.take
        if branch.node == told.parent and isinstance(take, CandidateRequest) and take.edit == edit:
            branches[place] = replace(branch, made=told.nodes)
            break
    return candidates, branches


def _decided(event: Event, alone: Allowance, branches: list[AskedBranch]) -> list[AskedBranch]:
    """What is left of branches once a decision of the log is put in; the grants pay for it."""
    told = payload_of(event)
    if told.undecided:
        return branches
    if told.actor != USER:
        alone.spend(told.parent)
        return branches
    if told.reason.startswith(BRANCHED):
        for place, branch in enumerate(branches):
            if branch.node == told.parent:
                for name in _names_in(told.reason):
                    left = branch.request.iterations - 1
                    alone.grant(Grant(name, Budget(decisions=max(left, 0))))
                return branches[:place] + branches[place + 1 :]
    return branches


def _names_in(reason: str) -> Iterable[str]:
    return reason.removeprefix(BRANCHED).split(", ")
