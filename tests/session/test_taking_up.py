"""What is still to be done goes from hand to hand: the tree is the one of somebody who stayed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small import OPTIONS, write_data, write_network

from engine.contracts.events import Noted
from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveBlocks
from explorer.executors.in_process import InProcessExecutor
from explorer.session.allowance import Grant
from explorer.session.another_run import begin_another
from explorer.session.budget import Budget
from explorer.session.events import CandidatesProposed, Decided, PhaseFinished, Stopped
from explorer.session.open_run import Request, open_session, spool_of
from explorer.session.plan import (
    Plan,
    PlanError,
    plan_path,
    read_plan,
    waiting_path,
    write_plan,
)
from explorer.session.steering import Steering
from explorer.session.taking_up import make_way, plan_of, take_up
from store import Run, TreeStore

QUICK = {**OPTIONS, "recovery_epochs": 0, "tune_epochs": 1, "criterion": "l1"}
RUN, TOP = "0" * 32, Grant("R", Budget(decisions=2))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


class Watch:
    """One who works on a tree until it is done, or until the event after which it leaves."""

    def __init__(self, files, store: Path, run: str | None = None) -> None:
        self.files, self.store, self.run = files, store, run
        self.heard: list[object] = []
        self.at_event = lambda event: None
        self.steering: Steering

    def work(self, begin=lambda steering: None, *, until=None) -> list[object]:
        """Takes the tree up and works; hands over where `until` says so of an event."""
        model, data = self.files
        named = self.store if self.store.exists() else model
        overrides = {} if self.store.exists() else {**QUICK, "data": str(data)}
        place = None if self.store.exists() else self.store
        request = Request(str(named), store=place, overrides=overrides, run=self.run)
        asyncio.run(self._work(request, begin, until))
        return self.heard

    async def _work(self, request, begin, until) -> None:
        handed_over = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hear(event) -> None:
            self.heard.append(event)
            self.at_event(event)
            if until is not None and until(event):
                loop.call_soon_threadsafe(handed_over.set)

        session = await open_session(request, InProcessExecutor, hear)
        steering = self.steering = Steering(session)
        try:
            keeper = take_up(steering)
            begin(steering)
            idle = asyncio.ensure_future(steering.idle())
            leave = asyncio.ensure_future(handed_over.wait())
            await asyncio.wait([idle, leave], return_when=asyncio.FIRST_COMPLETED)
            keeper.let_go()
            await session.executor.detach()
            for task in (idle, leave):
                task.cancel()
        finally:
            await steering.stop()
            await session.close()


def tree(store: Path) -> dict[str, tuple[object, ...]]:
    """Every node with what was kept and its bits."""
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        return {
            node.name: (
                node.state, node.kept,
                *(opened.snapshot_hash(node.id, phase) for phase in node.phases if phase != "root"),
            )
            for node in opened.nodes(run.id)
        }  # fmt: skip


def actors(store: Path) -> list[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return [decision.actor for decision in opened.decisions(opened.latest_run().id)]


def two_alone(steering: Steering) -> None:
    steering.let_decide(Budget(decisions=2), steering.session.node("R"))


@pytest.fixture(scope="module")
def stayed(files, tmp_path_factory):
    """The tree of somebody who stayed until all was done."""
    store = tmp_path_factory.mktemp("stayed") / "tree.pex.db"
    Watch(files, store).work(two_alone)
    assert actors(store) == ["cka", "cka"]
    return tree(store)


def is_of(kind, node: str):
    """Whether an event is of this kind and of this node or parent."""
    return lambda event: isinstance(event, kind) and node in (
        getattr(event, "node", None), getattr(event, "parent", None)
    )  # fmt: skip


@pytest.mark.parametrize(
    "leaving", [is_of(CandidatesProposed, "R"), is_of(Decided, "R"), is_of(PhaseFinished, "R.L")]
)
def test_handed_over_at_any_moment_it_becomes_the_tree_of_who_stayed(
    files, tmp_path, stayed, leaving
):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work(two_alone, until=leaving)
    assert tree(store) != stayed and read_plan(spool_of(store)) is not None
    Watch(files, store).work()
    assert tree(store) == stayed and actors(store) == ["cka", "cka"]
    assert read_plan(spool_of(store)) is None, "nothing is left to do"


@pytest.mark.slow
def test_killed_at_any_moment_it_becomes_the_tree_of_who_stayed(files, tmp_path, stayed):
    """What a kill leaves is the files as they are: copied at each event, and gone on with."""
    store = tmp_path / "whole" / "tree.pex.db"
    store.parent.mkdir()
    watch, copies = Watch(files, store), []

    def copy(event) -> None:
        if isinstance(event, Decided) or is_of(CandidatesProposed, "R")(event):
            there = tmp_path / f"killed{len(copies)}"
            shutil.copytree(store.parent, there, ignore=shutil.ignore_patterns("*.lock", ".*.tmp"))
            copies.append(there / store.name)

    watch.at_event = copy
    watch.work(two_alone)
    assert len(copies) == 3  # the second time between a decision and the plan that knows of it
    for killed in copies:
        Watch(files, killed).work()
        assert tree(killed) == stayed and actors(killed) == ["cka", "cka"]


@pytest.mark.slow
def test_what_a_person_asked_for_is_neither_lost_nor_done_twice(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work()

    def ask(steering: Steering) -> None:
        root = steering.session.node("R")
        (usual,) = [c for c in steering.store.children(root.id) if c.structure == "layer"]
        other = next(f"layer1.{i}" for i in range(3) if f"layer1.{i}" not in usual.edit["blocks"])
        block = CandidateRequest(RemoveBlocks((other,)))
        steering.branch(root, BranchRequest(block, iterations=2))

    Watch(files, store).work(ask, until=lambda event: True)
    with contextlib.closing(TreeStore.open(store, read_only=True)) as opened:
        assert len(opened.nodes(1)) == 3
    (branch,) = read_plan(spool_of(store)).branches
    assert branch.node == "R" and branch.request.iterations == 2
    # Left once more when it is proposed, and not kept yet.
    Watch(files, store).work(until=is_of(CandidatesProposed, "R"))
    Watch(files, store).work()
    found = tree(store)
    assert found["R.L2"][1] and "R.L3" not in found
    assert [name for name in found if name.startswith("R.L2.")]
    assert actors(store) == ["user", "cka"], "one decision was the branch's own, one is left"


def test_when_it_ends_it_is_said_why_and_how_many_were_made(files, tmp_path):
    heard = Watch(files, tmp_path / "tree.pex.db").work(two_alone)
    (stopped,) = [event for event in heard if isinstance(event, Stopped)]
    assert stopped.over and stopped.made == 2 and "decisions" in stopped.reason


def test_a_time_that_has_come_ends_it_after_what_has_begun(files, tmp_path):
    store = tmp_path / "tree.pex.db"

    def past(steering: Steering) -> None:
        steering.let_decide(Budget(until=1.0), steering.session.node("R"))

    heard = Watch(files, store).work(past)
    (stopped,) = [event for event in heard if isinstance(event, Stopped)]
    assert "has come" in stopped.reason and stopped.over
    assert actors(store) == [] and {"R.L", "R.F"} <= tree(store).keys()


@pytest.mark.slow
def test_enough_ends_a_branch_once_its_node_is_tuned(files, tmp_path):
    store = tmp_path / "tree.pex.db"

    def little(steering: Steering) -> None:
        steering.let_decide(Budget(target_macs=1.0), steering.session.node("R"))

    heard = Watch(files, store).work(little)
    (stopped,) = [event for event in heard if isinstance(event, Stopped)]
    assert stopped.reason.startswith("target-macs") and stopped.over
    assert len(actors(store)) == 1 and len(tree(store)) == 3


@pytest.mark.slow
def test_everywhere_every_open_branch_goes_on(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work()

    def both(steering: Steering) -> None:
        steering.keep_both(steering.session.node("R"))
        steering.let_decide(Budget(decisions=2), steering.session.node("R"), everywhere=True)

    Watch(files, store).work(both)
    kept = {name for name, node in tree(store).items() if node[1] and name.count(".") == 2}
    assert {name[:3] for name in kept} == {"R.L", "R.F"}


# ------------------------------------------------------------ plans from anywhere


@pytest.fixture
def spool(tmp_path):
    folder = tmp_path / "tree.pex.db.spool"
    folder.mkdir()
    return folder


def test_a_plan_is_the_same_after_it_was_written_and_read(spool):
    plan = Plan(RUN, 7, (TOP, Grant("R.L", Budget(until=9e9), 2, True)), ("R.F",))
    write_plan(spool, plan)
    assert read_plan(spool) == plan
    write_plan(spool, Plan(RUN, 8))
    assert not plan_path(spool).exists(), "an empty one is none"


BROKEN = {
    "cut": b'{"run": "x", "gra',
    "no object": b"[1, 2]",
    "deep": b"[" * 100_000,
    "huge": b" " * (2**20 + 1),
    "bytes": b"\xff\x00\x01",
    "newer": json.dumps({"run": "x", "event": 1, "version": 99}).encode(),
    "wrong types": json.dumps({"run": 3, "event": "x"}).encode(),
    "no budget": json.dumps(
        {"run": "x", "event": 1, "grants": [{"top": "R", "budget": {"decisions": -5}}]}
    ).encode(),
    "long name": json.dumps({"run": "x", "event": 1, "growing": ["R" * 9999]}).encode(),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_told_with_its_file_and_what_helps(spool, content):
    plan_path(spool).write_bytes(content)
    with pytest.raises(PlanError, match=r"plan\.json.*The tree itself is whole"):
        read_plan(spool)


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_of_ours_is_not_waited_for_or_followed(spool, tmp_path, kind):
    path = plan_path(spool)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_text("{}")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
    with pytest.raises(PlanError):
        read_plan(spool)


@pytest.mark.parametrize("foreign", ["broken", "another run", "unknown node", "of the future"])
def test_a_plan_that_fits_nothing_is_told_and_the_tree_grows_as_ever(files, tmp_path, foreign):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work()
    before = tree(store)
    with TreeStore.open(store, read_only=True) as opened:
        uuid = opened.latest_run().uuid
    spool = spool_of(store)
    spool.mkdir(mode=0o700, exist_ok=True)
    plans = {
        "another run": Plan(RUN, 1, (TOP,)),
        "unknown node": Plan(uuid, 1, (Grant("R.X.Y", Budget(decisions=1)),)),
        "of the future": Plan(uuid, 10**6, (TOP,)),
    }
    if foreign == "broken":
        plan_path(spool).write_text("{")
    else:
        write_plan(spool, plans[foreign])
    heard = Watch(files, store).work()
    told = [event.text for event in heard if isinstance(event, Noted)]
    assert any("still to be done here" in text for text in told)
    assert tree(store) == before and read_plan(spool) is None


def second_run(store: Path) -> tuple[Run, Run]:
    """The run of a store, and another one of the same root."""

    async def begin() -> None:
        session = await open_session(Request(str(store)), InProcessExecutor, lambda event: None)
        begin_another(session, replace(session.settings, seed=77))
        await session.close()

    asyncio.run(begin())
    with TreeStore.open(store, read_only=True) as opened:
        first, second = opened.runs()
    return first, second


def test_the_plan_of_one_run_waits_while_another_is_worked_on(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work()
    first, second = second_run(store)
    spool = spool_of(store)
    spool.mkdir(mode=0o700, exist_ok=True)
    plan = Plan(first.uuid, 10**6, (TOP,))  # of the future, so that nothing comes of it here
    write_plan(spool, plan)
    with TreeStore.open(store, read_only=True) as opened:
        owner = make_way(opened, spool, second)
        assert owner is not None and owner.id == first.id and read_plan(spool) is None
        write_plan(spool, Plan(second.uuid, 1, (TOP,)))
        owner = make_way(opened, spool, first)
        assert owner is not None and owner.id == second.id and read_plan(spool) == plan
        assert make_way(opened, spool, first) is None, "it is in its place"
        assert read_plan(spool) == plan and waiting_path(spool, second.id).exists()


def test_what_is_left_in_one_run_is_told_and_done_when_that_run_is_opened_again(files, tmp_path):
    store = tmp_path / "tree.pex.db"
    Watch(files, store).work()
    first, second = second_run(store)
    with TreeStore.open(store, read_only=True) as opened:
        newest = opened.last_event_id(first.id)
    spool = spool_of(store)
    spool.mkdir(mode=0o700, exist_ok=True)
    write_plan(spool, Plan(first.uuid, newest, (TOP,)))
    heard = Watch(files, store).work()  # the newest run
    assert any("waits until that run" in e.text for e in heard if isinstance(e, Noted))
    assert actors_of(store, second.id) == [] == actors_of(store, first.id)
    Watch(files, store, run=str(first.id)).work()
    assert actors_of(store, first.id) == ["cka"] * 2 and actors_of(store, second.id) == []
    assert read_plan(spool) is None and not waiting_path(spool, first.id).exists()


def actors_of(store: Path, run: int) -> list[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return [decision.actor for decision in opened.decisions(run)]


def test_the_plan_follows_what_a_person_says(files, tmp_path):
    store, seen = tmp_path / "tree.pex.db", []

    def say(steering: Steering) -> None:
        two_alone(steering)
        seen.append(plan_of(steering).grants)
        steering.decide_no_more()
        seen.append(plan_of(steering).grants)

    Watch(files, store).work(say)
    assert seen == [(TOP,), ()] and actors(store) == []
