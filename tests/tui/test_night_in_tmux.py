"""Leaving the sample for the night in a real terminal, and coming back in the morning."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from test_in_tmux import QUICK, kept, ready
from tmux import Terminal, explorer

from explorer.session import in_background
from explorer.session.open_run import spool_of
from store import StoreLockedError, TreeStore

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
]


@pytest.fixture
def own(tmp_path):
    """An environment with a state and a configuration of its own."""
    return {
        "PE_EXPLORE_STATE": str(tmp_path / "state.json"),
        "PE_EXPLORE_CONFIG": str(tmp_path / "config.toml"),
        "OMP_NUM_THREADS": "1",
    }


def jobs(own, *arguments: str) -> list[dict]:
    ended = subprocess.run(
        explorer("jobs", *arguments, "--json"), capture_output=True, text=True, timeout=300,
        env={**os.environ, **own},
    )  # fmt: skip
    return json.loads(ended.stdout)["work"]


def leave_with_three_alone(store: Path, own: dict[str, str]) -> None:
    """Opens the sample, leaves three decisions to the policy while it works, and quits."""
    command = explorer("sample", "--yes", "--store", store, *QUICK)
    with Terminal(command, cwd=store.parent, environment=own) as terminal:
        terminal.wait_for("policy cka", 120)
        terminal.press("A")
        terminal.wait_for("Let the policy decide")
        terminal.press("Enter")
        terminal.wait_for("auto 3")
        terminal.press("q")
        terminal.wait_for("Left to the policy: 3 decisions")
        terminal.press("l")
        terminal.wait_for("goes on in the background")
        terminal.wait_for("ended with 0")


def actors(store: Path) -> list[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return [d.actor for d in opened.decisions(opened.latest_run().id)]


def test_what_was_left_is_done_in_the_morning_and_a_program_was_told(tmp_path, own):
    store, told = tmp_path / "tree.pex.db", tmp_path / "told"
    program = tmp_path / "tell"
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {told}.new && mv {told}.new {told}\n')
    program.chmod(0o700)
    (tmp_path / "config.toml").write_text(f'[ui]\nnotify-command = "{program}"\n')
    leave_with_three_alone(store, own)
    (last,) = jobs(own, "wait")
    assert last["ended"].startswith("R.") and last["decided"] == 3 and not last["failed"]
    assert jobs(own) == [], "it is told once"
    assert actors(store) == ["cka"] * 3 and len(kept(store)) == 3
    with Terminal(explorer(store), cwd=tmp_path, environment=own) as terminal:
        terminal.wait_for(lambda screen: "a approve" in screen or "idle" in screen, 60)
        assert "auto" not in terminal.screen().splitlines()[0]
        terminal.quit()
    assert told.read_text().startswith("tree.pex.db: R.")
    assert not spool_of(store).exists(), "nothing is left behind"


def test_opening_it_before_the_morning_takes_it_over_and_goes_on(tmp_path, own):
    store = tmp_path / "tree.pex.db"
    leave_with_three_alone(store, own)
    with Terminal(explorer(store), cwd=tmp_path, environment=own) as terminal:
        terminal.wait_for("auto", 60)
        assert "read-only" not in terminal.screen()
        # Where it had only been started, it finds the store taken a moment later, and goes.
        terminal.wait_for(lambda _: in_background.process_on(store, spool_of(store)) is None, 60)
        assert jobs(own) == []
        terminal.wait_for(lambda _: actors(store) == ["cka"] * 3, 240)
        assert len(ready(store)) >= 7
        terminal.quit()


def stop_where_it_can_be_read(pid: int, store: Path) -> None:
    """Not while it holds SQLite's lock, as it does for moments: then nobody can read."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        try:
            TreeStore.open(store, read_only=True).close()
        except StoreLockedError:
            os.kill(pid, signal.SIGCONT)
        else:
            return


def test_one_that_does_not_answer_leaves_the_tree_to_be_read(tmp_path, own):
    store = tmp_path / "tree.pex.db"
    leave_with_three_alone(store, own)
    marker = in_background.works_on(store, spool_of(store))
    deadline = time.monotonic() + 60
    while marker is None:
        assert time.monotonic() < deadline, "it begins"
        time.sleep(0.05)
        marker = in_background.works_on(store, spool_of(store))
    stop_where_it_can_be_read(marker.pid, store)
    try:
        with Terminal(explorer(store), cwd=tmp_path, environment=own) as terminal:
            terminal.wait_for("read-only", 90)
            terminal.quit()
    finally:
        os.kill(marker.pid, signal.SIGCONT)
    # It hears only now that the store was asked for; nobody takes it, and it goes on.
    deadline = time.monotonic() + 240
    while actors(store) != ["cka"] * 3:
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.2)
    (last,) = jobs(own, "wait")
    assert not last["failed"]
