"""A second run is begun, chosen, left for the background and taken over, in a real terminal."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from test_in_tmux import grown
from tmux import Terminal, explorer

from explorer.session import in_background
from explorer.session.open_run import spool_of
from store import Run, TreeStore

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.slow,
    pytest.mark.timeout(400),
]
__all__ = ["grown"]


def runs(store: Path) -> list[Run]:
    with TreeStore.open(store, read_only=True) as opened:
        return opened.runs()


def actors(store: Path, run: int) -> list[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return [decision.actor for decision in opened.decisions(run)]


def num_nodes(store: Path, run: int) -> int:
    with TreeStore.open(store, read_only=True) as opened:
        return opened.num_nodes(run)


def quit_(terminal: Terminal) -> None:
    terminal.press("q")
    terminal.wait_for(lambda screen: "ended with 0" in screen or "Stop:" in screen)
    if "ended with 0" not in terminal.screen():
        terminal.press("s")
        terminal.wait_for("ended with 0")


def test_a_second_run_is_begun_and_the_first_one_chosen_again(grown, tmp_path):
    store = tmp_path / "tree.pex.db"
    shutil.copy(grown, store)
    before = num_nodes(store, 1), actors(store, 1)
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        terminal.wait_for("policy cka", 60)
        terminal.press("N")
        terminal.wait_for("begin with these settings?", 60)
        terminal.wait_for("seed 4 instead of 3")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "run 2 of 2" in screen or "Open tree-2?" in screen)
        terminal.wait_for(lambda _: num_nodes(store, 2) == 3, 120)
        terminal.wait_for(lambda screen: re.search("a approve [LF]", screen), 120)
        terminal.press("a")
        terminal.wait_for(lambda _: actors(store, 2) == ["user"])
        terminal.press("R")
        terminal.wait_for("differ in their seeds only")
        terminal.press("k")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "run 1 of 2" in screen or "Stop here" in screen)
        if "Stop here" in terminal.screen():
            terminal.press("s")
        terminal.wait_for("run 1 of 2")
        assert (num_nodes(store, 1), actors(store, 1)) == before, "only the second one has grown"
        quit_(terminal)
    assert [run.seed for run in runs(store)] == [3, 4]


def test_a_run_that_is_left_goes_on_while_another_is_looked_at_and_is_taken_over(grown, tmp_path):
    store = tmp_path / "tree.pex.db"
    shutil.copy(grown, store)
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        terminal.wait_for("policy cka", 60)
        terminal.press("N")
        terminal.wait_for("seed 4 instead of 3", 60)
        terminal.press("Enter")
        terminal.wait_for("run 2 of 2")
        terminal.press("A")
        terminal.wait_for("Let the policy decide")
        terminal.press("Enter")
        terminal.wait_for("auto 3")
        terminal.press("R")
        terminal.wait_for("which one to work on?")
        terminal.wait_for("seed")
        terminal.wait_for("agree")
        terminal.press("Home")
        terminal.press("Enter")
        terminal.wait_for("Leave it running")
        terminal.press("l")
        terminal.wait_for(lambda screen: "run 1 of 2" in screen and "read-only" in screen)
        spool = spool_of(store)
        terminal.wait_for(lambda _: in_background.works_on(store, spool) is not None)
        terminal.press("R")
        terminal.wait_for("agree")
        terminal.press("End")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "run 2 of 2" in screen and "read-only" not in screen, 60)
        terminal.wait_for(lambda _: actors(store, 2) == ["cka"] * 3, 240)
        quit_(terminal)
    assert "user" not in actors(store, 1) and len(runs(store)) == 2


def test_opening_a_store_attaches_to_the_run_that_is_worked_on(grown, tmp_path):
    """The first run, not the newest one."""
    store = tmp_path / "tree.pex.db"
    shutil.copy(grown, store)
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        terminal.wait_for("policy cka", 60)
        terminal.press("N")
        terminal.wait_for("seed 4 instead of 3", 60)
        terminal.press("Enter")
        terminal.wait_for(lambda _: num_nodes(store, 2) == 3, 120)
        quit_(terminal)
    with Terminal(explorer(store, "--run", "1"), cwd=tmp_path) as terminal:
        terminal.wait_for("run 1 of 2", 60)
        terminal.press("g")
        terminal.press("A")
        terminal.wait_for("Let the policy decide")
        terminal.press("Enter")
        terminal.wait_for("auto 3")
        terminal.press("q")
        terminal.wait_for("Left to the policy: 3 decisions")
        terminal.press("l")
        terminal.wait_for("ended with 0")
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        terminal.wait_for(lambda screen: "run 1 of 2" in screen and "auto" in screen, 60)
        assert "read-only" not in terminal.screen()
        quit_(terminal)
