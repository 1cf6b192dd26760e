"""`auto --background` where something was still to be done: it goes on too, and is told."""

from __future__ import annotations

import pytest
from small import request_of, write_data, write_network
from test_places import grow

from engine.contracts.requests import CandidateRequest, RemoveUnits
from explorer.cli.commands.auto_background import auto_background
from explorer.executors.in_process import InProcessExecutor
from explorer.session import in_background
from explorer.session.allowance import Grant
from explorer.session.budget import Budget
from explorer.session.open_run import Request, spool_of
from explorer.session.plan import AskedCandidate, Plan, plan_path, read_plan, write_plan
from explorer.views.left_to_do import left_in_words
from store import TreeStore


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A tree of one decision, of which a night is begun that no process is started for."""
    monkeypatch.setattr("explorer.cli.sessions.workers", InProcessExecutor)
    monkeypatch.setattr(in_background, "start", lambda store, spool, options: 1)
    store = tmp_path / "t.pex.db"
    files = write_network(tmp_path), write_data(tmp_path)
    grow(request_of(files, store, iterations=1, recovery_epochs=0, criterion="l1"))
    spool_of(store).mkdir(exist_ok=True)
    return store


def night(store, **budget) -> None:
    request = Request(str(store), overrides={"iterations": 3})
    auto_background(request, as_json=False, budget=Budget(**budget))


def run_of(store) -> tuple[str, int, str]:
    """The run's uuid, the newest line of its log, and the node that it would grow from."""
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        (kept,) = (n.name for n in opened.nodes(run.id) if n.kept and n.name != "R")
        return run.uuid, opened.last_event_id(run.id), kept


def test_what_was_asked_for_goes_on_and_is_told(tree, capsys):
    uuid, event, tip = run_of(tree)
    asked = AskedCandidate("R", CandidateRequest(RemoveUnits(2, None)))
    other = Grant("R", Budget(decisions=2))
    write_plan(spool_of(tree), Plan(uuid, event, (other,), ("R",), (asked,)))
    night(tree)
    found = read_plan(spool_of(tree))
    assert found.candidates == (asked,) and other in found.grants
    (auto,) = (grant for grant in found.grants if grant.as_auto)
    assert auto.top == tip and set(found.growing) == {"R", tip}
    told = " ".join(capsys.readouterr().err.split())
    assert "something was still to be done here, and goes on too: 2 decisions" in told
    assert "1 asked candidate" in told


def test_a_second_night_from_the_same_node_says_what_it_takes_the_place_of(tree, capsys):
    night(tree)
    capsys.readouterr()
    night(tree, stop_at_close_calls=True)
    (grant,) = read_plan(spool_of(tree)).grants
    assert grant.budget.stop_at_close_calls
    assert "in place of 2 decisions" in " ".join(capsys.readouterr().err.split())


def test_a_plan_that_cannot_be_followed_is_told_and_gives_way(tree, capsys):
    plan_path(spool_of(tree)).write_text("{")
    night(tree)
    assert len(read_plan(spool_of(tree)).grants) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_a_plan_in_words():
    plan = Plan("u", 1, (Grant("R", Budget(decisions=1)),), ("R", "R.L", "R.F", "R.L.L", "R.F.F"))
    assert left_in_words(plan) == "1 decision everywhere; growing R.L, R.F, R.L.L and 1 more"
