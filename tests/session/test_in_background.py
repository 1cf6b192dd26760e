"""A process in the background: found, asked to hand over or to stop, killed, raced for."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from executors import state_of
from small import OPTIONS, write_data, write_network

from engine.contracts.marker import Marker, start_of
from explorer.session import in_background
from explorer.session.background_reports import Report, report_of, reports, write_report
from explorer.session.open_run import spool_of
from explorer.session.plan import read_plan
from store import TreeStore

QUICK = {**OPTIONS, "recovery_epochs": 0, "tune_epochs": 1, "criterion": "l1", "iterations": 3}
SECONDS = 120.0
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_STATE", str(tmp_path / "state.json"))
    monkeypatch.setenv("PE_EXPLORE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def command(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "explorer.cli", *map(str, arguments)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    assert not check or ended.returncode == 0, ended.stderr
    return ended


def until(holds, what: str):
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)
    return found


def nodes(store: Path) -> dict[str, tuple[object, ...]]:
    with TreeStore.open(store, read_only=True) as opened:
        return {
            node.name: (node.kept, *(opened.snapshot_hash(node.id, p) for p in node.phases
                                     if p != "root"))
            for node in opened.nodes(opened.latest_run().id)
        }  # fmt: skip


def options() -> list[str]:
    return [f"--{name.replace('_', '-')}={value}" for name, value in QUICK.items()]


def started(tmp_path: Path) -> tuple[Path, Marker]:
    """A tree that is grown in the background, and the process."""
    store = tmp_path / "tree.pex.db"
    model, data = write_network(tmp_path), write_data(tmp_path)
    where = (f"--store={store}", f"--data={data}", "--yes")
    told = command("auto", model, *where, *options(), "--background", "--json")
    about = json.loads(told.stdout)
    assert about["store"] == str(store) and about["left"].startswith("3 decisions")
    marker = until(lambda: in_background.works_on(store, spool_of(store)), "the process")
    assert marker.pid == about["pid"]
    return store, marker


@pytest.mark.slow  # processes that import torch
def test_grown_in_the_background_it_is_the_tree_that_auto_grows(tmp_path, own_state):
    store, marker = started(tmp_path)
    refused = command("auto", store, check=False)
    assert f"process {marker.pid}" in refused.stderr and "jobs stop" in refused.stderr
    assert refused.returncode == 1
    listed = json.loads(command("jobs", "--json").stdout)["work"]
    assert [(each["store"], each["works"]) for each in listed] == [(str(store), True)]
    waited = command("jobs", "wait", store)
    assert "ended" in waited.stdout and "3 decisions made" in waited.stdout
    assert command("jobs").stdout.strip() == "nothing works in the background", "it is told once"
    there = tmp_path / "there"
    there.mkdir()
    command("auto", tmp_path / "tiny.pt", f"--store={there / 'tree.pex.db'}",
            f"--data={tmp_path / 'bars.npz'}", "--yes", *options())  # fmt: skip
    assert nodes(store) == nodes(there / "tree.pex.db")
    assert read_plan(spool_of(store)) is None


@pytest.mark.slow
def test_it_hands_over_at_once_and_stops_in_good_order(tmp_path, own_state):
    store, _ = started(tmp_path)
    until(lambda: "R.L" in nodes(store), "candidates")

    async def two_ask() -> list[bool | None]:
        about = (store, spool_of(store), in_background.HAND_OVER, 30.0)
        return await asyncio.gather(in_background.ask(*about), in_background.ask(*about))

    assert asyncio.run(two_ask()) == [True, True], "who is first takes the lock, as ever"
    assert not Path(f"{store}.lock").exists() and read_plan(spool_of(store)) is not None
    assert reports() == [], "who hands over has not ended"
    pid = in_background.start(store, spool_of(store))
    until(lambda: in_background.works_on(store, spool_of(store)), "the next one")
    stopped = command("jobs", "stop", store)
    assert "stopped" in stopped.stdout and state_of(pid) in ("", "Z")
    assert read_plan(spool_of(store)) is None, "what was left to the policy is not, any more"


@pytest.mark.slow
@pytest.mark.parametrize("after", ["R.L", "R.L.F"])
def test_killed_at_any_time_it_is_told_and_whoever_comes_next_goes_on(tmp_path, own_state, after):
    store, marker = started(tmp_path)
    until(lambda: after in nodes(store) or "R.F.L" in nodes(store), "a candidate")
    os.kill(marker.pid, signal.SIGKILL)
    until(lambda: start_of(marker.pid) is None, "its end")
    (told,) = json.loads(command("jobs", "--json").stdout)["work"]
    assert told["failed"] and "ended from outside" in told["ended"]
    in_background.start(store, spool_of(store))
    command("jobs", "wait", store)  # at once: before it can have said anything itself
    with TreeStore.open(store, read_only=True) as opened:
        decisions = opened.decisions(opened.latest_run().id)
    assert [decision.actor for decision in decisions] == ["cka"] * 3


@pytest.mark.slow
def test_of_two_that_are_started_at_once_one_works_and_the_other_leaves_it_alone(
    tmp_path, own_state
):
    store, _ = started(tmp_path)
    second = in_background.start(store, spool_of(store))
    until(lambda: start_of(second) is None, "the end of the second one")
    assert in_background.works_on(store, spool_of(store)) is not None
    command("jobs", "wait", store)
    assert len(nodes(store)) == 7


@pytest.mark.slow
def test_one_that_was_only_just_started_can_be_stopped_and_taken_over(tmp_path, own_state):
    store, marker = started(tmp_path)
    command("jobs", "stop", store)
    assert state_of(marker.pid) in ("", "Z") and reports() == []
    for what in (in_background.HAND_OVER, in_background.STOP):
        pid = in_background.start(store, spool_of(store))
        assert [(told.pid, told.works) for told in reports()] == [(pid, True)]
        assert asyncio.run(in_background.ask(store, spool_of(store), what, SECONDS)) is True
        assert not Path(f"{store}.lock").exists()
    until(lambda: state_of(pid) in ("", "Z"), "the end of what was stopped")


# ------------------------------------------------------------ without any process


def test_a_marker_of_anybody_else_is_not_believed(tmp_path):
    """No process is signalled that was not started for this very store."""
    spool = tmp_path / "tree.pex.db.spool"
    spool.mkdir()
    own = Marker(os.getpid(), start_of(os.getpid()), "background")
    (spool / "background.running").write_text(json.dumps(vars(own)))
    store = tmp_path / "tree.pex.db"
    store.touch()
    assert in_background.works_on(store, spool) is None
    assert asyncio.run(in_background.ask(store, spool, signal.SIGKILL, 1.0)) is None


def test_a_report_of_a_process_that_is_gone_says_so_and_damaged_ones_are_passed_over(
    tmp_path, own_state
):
    gone = Report(str(tmp_path / "a.pex.db"), 2**22 - 1, 1, 5.0, jobs=())
    write_report(gone)
    folder = tmp_path / "state.background"
    for name, content in {"b": b"{", "c": b"[]", "d": b"\xff" * 10, "e": b" " * 2**21}.items():
        (folder / f"{name}.json").write_bytes(content)
    os.mkfifo(folder / "f.json")
    (found,) = reports()
    assert found == gone == report_of(Path(gone.store)) and found.was_killed and not found.works


def test_where_nobody_has_a_folder_for_it_nothing_is_reported(monkeypatch):
    monkeypatch.delenv("PE_EXPLORE_STATE", raising=False)
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.setattr("platformdirs.user_state_path", lambda name: Path("relative"))
    write_report(Report("x.db", 1, None, 0.0))
    assert reports() == [] and report_of(Path("x.db")) is None
