"""Explorers that get in each other's way, and terminals that close under them."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich_store import grow
from test_in_tmux import QUICK, kept, ready, workers_below
from tmux import Terminal, explorer

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.slow,
    pytest.mark.timeout(280),
]


def gone(pid: int) -> None:
    """Waits for the end of a process."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "it works on for nobody"
        time.sleep(0.05)


def who_reads(both: list[Terminal]) -> Terminal:
    """The one that only looks, once it says so."""
    both[0].wait_for(lambda _: any("read-only" in each.screen() for each in both))
    (reader,) = [each for each in both if "read-only" in each.screen()]
    return reader


def test_of_two_that_open_one_store_at_once_one_writes_and_the_other_follows(tmp_path):
    store = tmp_path / "tiny.pex.db"
    grow(store)
    with ExitStack() as open_:
        both = [
            open_.enter_context(Terminal(explorer(store), cwd=tmp_path, width=160))
            for _ in range(2)
        ]
        for each in both:
            each.wait_for("what next?")
        reader = who_reads(both)
        (writer,) = [each for each in both if each is not reader]
        # It goes on with what is left, which fails: the images of this tree are nowhere.
        writer.wait_for("the work failed", 120)
        writer.press("Escape")
        reader.press("a")
        reader.wait_for("reading only")
        writer.press("n")
        writer.wait_for("Note")
        writer.type("seen by both")
        writer.press("Enter")
        writer.wait_for("⚑")  # its dialog is gone, and takes no key any more
        reader.press("3")
        reader.wait_for("seen by both")
        for each in (writer, reader):
            each.quit()


def test_of_two_that_begin_one_tree_at_once_one_grows_it(tmp_path):
    store = tmp_path / "tree.pex.db"
    command = explorer("sample", "--yes", "--store", store, *QUICK)
    with ExitStack() as open_:
        both = [open_.enter_context(Terminal(command, cwd=tmp_path)) for _ in range(2)]
        told = ("policy cka", "is being written by process")
        screens = [
            e.wait_for(lambda screen: any(each in screen for each in told), 120) for e in both
        ]
        late = ("read-only", told[1])
        (reader,) = [
            terminal for terminal, screen in zip(both, screens, strict=True)
            if any(each in screen for each in late)
        ]  # fmt: skip
        (writer,) = [each for each in both if each is not reader]
        writer.wait_for(lambda _: store.exists() and ready(store) == {"R", "R.L", "R.F"}, 120)
        if told[1] in reader.screen():  # it came before the first run was stored
            reader.press("r")
        reader.wait_for("read-only")
        reader.wait_for("R.F")
        for each in (reader, writer):
            each.quit()


def test_a_terminal_that_closes_loses_nothing_and_the_store_goes_on(tmp_path):
    store = tmp_path / "tree.pex.db"
    command = explorer("sample", "--yes", "--store", store, *QUICK)
    with Terminal(command, cwd=tmp_path) as terminal:
        terminal.wait_for(lambda screen: "recovery" in screen, 120)
        (worker,) = workers_below(terminal.pid)
    # It hears nothing of the terminal, but that whom it works for is gone.
    gone(worker)
    before = ready(store)
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        assert "read-only" not in terminal.wait_for("●")
        terminal.wait_for(lambda _: before | {"R.L", "R.F"} <= ready(store), 120)
        terminal.wait_for(lambda screen: re.search("a approve [LF]", screen))
        terminal.press("a")
        terminal.wait_for(lambda _: len(kept(store)) == 1)
        terminal.quit()
