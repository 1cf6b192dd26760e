"""Steering a tree by hand, with the real engine and the real store."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import pytest
from small import OPTIONS, write_data, write_network

from engine.contracts.requests import (
    BranchRequest,
    CandidateRequest,
    RemoveBlocks,
    RemoveUnits,
)
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session.budget import Budget
from explorer.session.errors import NotNowError
from explorer.session.events import CandidatesMeasured, JobAsked, WorkFailed
from explorer.session.open_run import Request, open_session
from explorer.session.search import grow_tree
from explorer.session.steering import Steering
from explorer.views.live_run import LiveRun
from explorer.views.stored_nodes import node_views
from explorer.views.tree.node import TreeNode

QUICK = {**OPTIONS, "recovery_epochs": 0, "tune_epochs": 1, "criterion": "l1"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def without_blocks(*paths: str) -> CandidateRequest:
    """A candidate that loses exactly these blocks."""
    return CandidateRequest(RemoveBlocks(paths))


class Table:
    """A person's seat: the steering, what was heard, and the live view."""

    def __init__(self, steering, heard, live) -> None:
        self.steering, self.heard, self.live = steering, heard, live
        self.store, self.session = steering.store, steering.session

    def node(self, name):
        return self.session.node(name)

    def kept(self) -> set[str]:
        return {n.name for n in self.store.nodes(self.session.run.id) if n.kept and n.depth}

    def names(self) -> set[str]:
        return {n.name for n in self.store.nodes(self.session.run.id)}

    def problems(self) -> list[str]:
        return [e.cause for e in self.heard if isinstance(e, WorkFailed)]


def steer(files, store: Path, play, executor=InProcessExecutor, **overrides):
    """Opens the tree, lets `play(table)` steer it, and closes it."""
    model, data = files
    request = Request(str(model), store=store, overrides={**QUICK, "data": str(data), **overrides})

    async def work():
        live, heard = LiveRun(), []

        def listen(event):
            heard.append(event)
            live.on_event(event)

        session = await open_session(request, executor, listen)
        live.attach(session.store, session.run)
        steering = Steering(session)
        try:
            await play(Table(steering, heard, live))
        finally:
            await steering.stop()
            session.store.close()

    asyncio.run(work())


async def measured(table: Table, name: str = "R") -> None:
    table.steering.grow(table.node(name))
    await table.steering.idle()


def test_a_new_tree_makes_both_candidates_and_waits_for_a_word(files, tmp_path):
    async def play(table):
        table.steering.resume()
        await table.steering.idle()
        assert table.names() == {"R", "R.L", "R.F"} and table.kept() == set()
        assert [n.name for n in table.steering.waiting()] == ["R"]
        assert CandidatesMeasured("R") in table.heard

    steer(files, tmp_path / "t.pex.db", play)


def test_approve_keeps_the_suggested_one_and_override_the_other(files, tmp_path):
    async def play(table):
        await measured(table)
        suggested = table.steering.suggestion(table.node("R")).node.name
        assert table.steering.approve(table.node("R")).name == suggested
        await table.steering.idle()
        assert table.kept() == {suggested}
        assert table.names() > {f"{suggested}.L", f"{suggested}.F"}  # it grew on by itself
        other = table.steering.override(table.node("R")).name
        await table.steering.idle()
        assert table.kept() == {other} and other != suggested
        decision = table.store.decision_of(table.node("R").id)
        assert decision.actor == "user" and decision.reason.startswith(f"overrode {suggested}")
        assert decision.margin is not None

    steer(files, tmp_path / "t.pex.db", play)


def test_keeping_both_grows_both_branches(files, tmp_path):
    async def play(table):
        await measured(table)
        table.steering.keep_both(table.node("R"))
        await table.steering.idle()
        assert table.kept() == {"R.L", "R.F"}
        assert table.names() >= {"R.L.L", "R.L.F", "R.F.L", "R.F.F"}
        assert {n.name for n in table.steering.waiting()} == {"R.L", "R.F"}

    steer(files, tmp_path / "t.pex.db", play)


def test_undo_and_redo_survive_reopening_and_keep_the_weights(files, tmp_path):
    store = tmp_path / "t.pex.db"
    kept: dict[str, str] = {}

    async def decide_and_undo(table):
        await measured(table)
        name = table.steering.approve(table.node("R")).name
        await table.steering.idle()
        kept["name"] = name
        kept["weights"] = table.store.snapshot_hash(table.node(name).id, "tuned")
        table.steering.undo()
        assert table.kept() == set() and table.node(name).kept is None
        assert table.steering.waiting()[0].name == "R"

    async def redo(table):
        asked = len([e for e in table.heard if isinstance(e, JobAsked)])
        table.steering.redo()
        await table.steering.idle()
        assert table.kept() == {kept["name"]}
        weights = table.store.snapshot_hash(table.node(kept["name"]).id, "tuned")
        assert weights == kept["weights"]
        assert (
            len([e for e in table.heard if isinstance(e, JobAsked)]) == asked
        )  # nothing is redone
        with pytest.raises(NotNowError, match="nothing to redo"):
            table.steering.redo()
        table.steering.undo()
        with pytest.raises(NotNowError, match="nothing to undo"):
            table.steering.undo()

    steer(files, store, decide_and_undo)
    steer(files, store, redo)


def test_undoing_an_override_brings_back_what_was_kept_before(files, tmp_path):
    async def play(table):
        await measured(table)
        first = table.steering.approve(table.node("R")).name
        await table.steering.idle()
        table.steering.override(table.node("R"))
        await table.steering.idle()
        table.steering.undo()
        assert table.kept() == {first}
        table.steering.redo()
        assert first not in table.kept()

    steer(files, tmp_path / "t.pex.db", play)


def test_it_decides_the_next_nodes_alone_and_then_waits_again(files, tmp_path):
    async def play(table):
        table.steering.let_decide(Budget(decisions=2), table.node("R"))
        await table.steering.idle()
        decisions = table.store.decisions(table.session.run.id)
        assert [d.actor for d in decisions] == ["cka", "cka"]
        assert len(table.kept()) == 2
        assert len(table.steering.waiting()) == 1  # the third waits for a word

    steer(files, tmp_path / "t.pex.db", play)


def test_decisions_are_made_alone_in_the_branch_they_were_granted_for(files, tmp_path):
    async def play(table):
        await measured(table)
        table.steering.keep_both(table.node("R"))
        table.steering.let_decide(Budget(decisions=1), table.node("R.L"))
        await table.steering.idle()
        below = table.kept() - {"R.L", "R.F"}
        assert len(below) == 1 and below.pop().startswith("R.L.")
        assert not table.steering.alone.grants
        assert [node.name for node in table.steering.waiting()][:1] == ["R.F"]

    steer(files, tmp_path / "t.pex.db", play)


def test_what_an_undo_would_take_back_is_known_beforehand(files, tmp_path):
    async def play(table):
        await measured(table)
        root = table.node("R")
        assert not table.steering.undoes(root)
        kept = table.steering.approve(root)
        assert table.steering.undoes(root)
        await table.steering.idle()
        table.steering.approve(kept)
        assert table.steering.undoes(kept) and not table.steering.undoes(root)
        table.steering.undo()
        assert table.steering.undoes(root) and not table.steering.undoes(kept)
        table.steering.redo()
        assert table.steering.undoes(kept) and not table.steering.undoes(root)

    steer(files, tmp_path / "t.pex.db", play)


def test_the_margin_is_seen_before_the_decision_and_is_that_of_the_decision(files, tmp_path):
    async def play(table):
        await measured(table)
        run = table.session.run.id
        before = next(view for view in node_views(table.store, run) if view.name == "R")
        assert before.decision is None and before.margin is not None
        assert before.as_json()["margin"] == before.margin.value
        table.steering.approve(table.node("R"))
        after = next(view for view in node_views(table.store, run) if view.name == "R")
        assert after.margin == before.margin

    steer(files, tmp_path / "t.pex.db", play)


def test_deciding_alone_gives_the_tree_that_auto_grows(files, tmp_path):
    trees = []

    async def alone(table):
        table.steering.let_decide(Budget(decisions=2), table.node("R"))
        await table.steering.idle()
        trees.append(node_views(table.store, table.session.run.id))

    async def auto(table):
        await grow_tree(table.session)
        trees.append(node_views(table.store, table.session.run.id))

    steer(files, tmp_path / "a.pex.db", alone)
    steer(files, tmp_path / "b.pex.db", auto, iterations=2)
    by_name = [{n.name: (n.similarity, n.kept) for n in tree} for tree in trees]
    assert by_name[1].items() <= by_name[0].items()


def test_a_person_may_choose_another_block_or_another_count_of_filters(files, tmp_path):
    async def play(table):
        await measured(table)
        (usual,) = [c for c in table.store.children(table.node("R").id) if c.structure == "layer"]
        blocks = [f"layer1.{i}" for i in range(3) if f"layer1.{i}" not in usual.edit["blocks"]]
        table.steering.candidate(table.node("R"), without_blocks(blocks[0]))
        await table.steering.idle()
        table.steering.candidate(table.node("R"), CandidateRequest(RemoveUnits(3, "global")))
        await table.steering.idle()
        assert not table.problems()
        assert table.node("R.L2").edit["blocks"] == blocks[:1]
        assert sum(len(ix) for ix in table.node("R.F2").edit["filters"].values()) == 3
        with pytest.raises(NotNowError, match="choose which to keep"):
            table.steering.override(table.node("R"))
        table.steering.choose(table.node("R"), ["R.L2"])
        await table.steering.idle()
        assert table.kept() == {"R.L2"} and "R.L2.F" in table.names()

    steer(files, tmp_path / "t.pex.db", play)


def test_a_request_that_cannot_be_is_told_and_harms_nothing(files, tmp_path):
    async def play(table):
        await measured(table)
        table.steering.candidate(table.node("R"), without_blocks("layer9.9"))
        await table.steering.idle()
        assert "layer9.9" in table.problems()[0]
        assert table.names() == {"R", "R.L", "R.F"}

    steer(files, tmp_path / "t.pex.db", play)


def test_branching_from_a_rejected_node_leaves_what_is_kept(files, tmp_path):
    async def play(table):
        await measured(table)
        kept = table.steering.approve(table.node("R")).name
        await table.steering.idle()
        (rejected,) = {"R.L", "R.F"} - {kept}
        table.steering.branch(table.node(rejected), BranchRequest("filter", iterations=2))
        await table.steering.idle()
        assert not table.problems()
        assert kept in table.kept() and f"{rejected}.F" in table.kept()
        assert "tuned" in table.node(rejected).phases  # a rejected node is tuned first
        assert any(name.startswith(f"{rejected}.F.") for name in table.kept())
        take = "layer" if rejected == "R.L" else "filter"
        table.steering.branch(table.node("R"), BranchRequest(take))
        await table.steering.idle()
        assert {"R.L", "R.F"} <= table.kept()

    steer(files, tmp_path / "t.pex.db", play)


def test_a_cancelled_candidate_no_longer_holds_up_the_decision(files, tmp_path):
    async def play(table):
        steering = table.steering
        steering.grow(table.node("R"))
        while "R.L" not in table.names():
            await asyncio.sleep(0)
        with pytest.raises(NotNowError, match="not measured yet"):
            steering.approve(table.node("R"))
        while JobAsked("R.F", "recover") not in table.heard:
            await asyncio.sleep(0)
        assert steering.cancel(table.node("R.F"))
        await steering.idle()
        assert table.node("R.F").state == "cancelled" and table.node("R.L").state == "ready"
        assert steering.approve(table.node("R")).name == "R.L"

    steer(files, tmp_path / "t.pex.db", play)


def test_what_was_under_way_goes_on_after_reopening(files, tmp_path):
    store = tmp_path / "t.pex.db"

    async def leave_in_the_midst(table):
        table.steering.resume()
        while "R.L" not in table.names():
            await asyncio.sleep(0)

    async def come_back(table):
        table.steering.resume()
        await table.steering.idle()
        assert {table.node(n).state for n in ("R.L", "R.F")} == {"ready"}
        table.steering.resume()
        assert not table.steering.busy  # a tree that waits for a word is not grown by itself

    steer(files, store, leave_in_the_midst)
    steer(files, store, come_back)


def test_the_live_view_is_what_the_store_holds(files, tmp_path):
    async def play(table):
        table.live.changes()
        await measured(table)
        told = table.live.changes()
        assert {n.name for n in told.nodes} == {"R", "R.L", "R.F"} and told.lines
        table.steering.keep_both(table.node("R"))
        await table.steering.idle()
        table.steering.tag(table.node("R.L"), "good")
        table.steering.note(table.node("R.L"), "watch [/this]")
        table.steering.drop(table.node("R.F"))
        table.live.changes()
        stored = node_views(table.store, table.session.run.id)
        assert dict(table.live.objects) == {node.name: node for node in stored}
        assert table.live.nodes == {node.name: TreeNode.of(node) for node in stored}
        assert table.live.objects["R.L"].tags == ("good",)
        assert table.live.objects["R.F"].dropped and not table.live.jobs
        assert table.live.changes().nodes == []

    steer(files, tmp_path / "t.pex.db", play)


def test_growing_and_branching_at_once_do_the_shared_work_once(files, tmp_path):
    async def play(table):
        await measured(table)
        kept = table.steering.approve(table.node("R")).name  # begins to tune and to grow it
        table.steering.branch(table.node(kept), BranchRequest("layer"))
        table.steering.candidate(table.node(kept), CandidateRequest(RemoveUnits(2)))
        await table.steering.idle()
        assert table.problems() == []
        assert table.heard.count(JobAsked(kept, "tune")) == 1
        assert table.heard.count(JobAsked(f"{kept}.L", "recover")) == 1
        names = {n for n in table.names() if n.startswith(f"{kept}.") and n.count(".") == 2}
        assert names == {f"{kept}.L", f"{kept}.F", f"{kept}.F2"}

    steer(files, tmp_path / "t.pex.db", play)


def test_a_failure_touches_its_own_branch_only(files, tmp_path):
    """Two branches grow; the proposal of one fails while the other one's candidates recover."""

    class Failing(InProcessExecutor):
        def __init__(self, spool: Path) -> None:
            super().__init__(spool)
            self.side_by_side = asyncio.Event()

        async def run(self, request, on_event):
            if request.label == "propose R.L":
                await self.side_by_side.wait()
                raise JobFailedError("data", "the data went away")
            if request.label.startswith("recover R.F."):
                self.side_by_side.set()
            return await super().run(request, on_event)

    async def play(table):
        await measured(table)
        table.steering.keep_both(table.node("R"))
        await table.steering.idle()
        assert table.problems() == ["the data went away"]
        assert table.store.children(table.node("R.L").id) == []
        below = table.store.children(table.node("R.F").id)
        assert {node.state for node in below} == {"ready"} and len(below) == 2
        table.session.executor.run = functools.partial(
            InProcessExecutor.run, table.session.executor
        )
        table.steering.grow(table.node("R.L"))  # and the other can be tried again
        await table.steering.idle()
        assert {n.state for n in table.store.children(table.node("R.L").id)} == {"ready"}

    steer(files, tmp_path / "t.pex.db", play, executor=Failing)
