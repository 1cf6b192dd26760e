"""The real app in a real terminal, on the bundled sample, from opening to reopening."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tmux import Terminal, explorer

from store import TreeStore

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.timeout(280),
]
QUICK = ("--criterion", "l1", "--recovery-epochs", "1", "--tune-epochs", "1",
         "--train-limit", "320", "--seed", "3")  # fmt: skip


def kept(store: Path) -> set[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return {n.name for n in opened.nodes(opened.latest_run().id) if n.kept and n.depth}


def ready(store: Path) -> set[str]:
    with TreeStore.open(store, read_only=True) as opened:
        return {n.name for n in opened.nodes(opened.latest_run().id) if n.state == "ready"}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A tree on which nothing is left to be done."""
    store = tmp_path_factory.mktemp("grown") / "tree.pex.db"
    command = [*explorer("auto", "sample", "--store", store, "--iterations", "1"), *QUICK]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    return store


def test_a_person_steers_the_sample_quits_and_finds_everything_again(tmp_path):
    store = tmp_path / "tree.pex.db"
    command = explorer("sample", "--yes", "--store", store, *QUICK)
    with Terminal(command, cwd=tmp_path) as terminal:
        terminal.wait_for("pe-explore")
        terminal.wait_for(
            lambda screen: re.search("a approve [LF]", screen), 120
        )  # two candidates arrived
        assert ready(store) >= {"R", "R.L", "R.F"} and kept(store) == set()
        terminal.press("o")
        terminal.wait_for(lambda _: len(kept(store)) == 1)
        (overridden,) = kept(store)
        terminal.wait_for(lambda _: {f"{overridden}.L", f"{overridden}.F"} <= ready(store), 120)
        terminal.press("b")
        terminal.wait_for(lambda _: len(kept(store)) == 3)
        terminal.press("Home")
        terminal.press("B")
        terminal.wait_for("Branch from R ")
        terminal.press("Enter")  # the candidate that was rejected there
        terminal.wait_for(lambda _: {"R.L", "R.F"} <= kept(store) and len(kept(store)) == 4)
        terminal.press("u")
        terminal.wait_for(lambda _: len(kept(store)) == 3)
        terminal.press("{")
        terminal.wait_for("1/")
        terminal.press("]")
        terminal.wait_for("2/")
        terminal.press("}")
        before = terminal.wait_for(lambda screen: "2/" not in screen)
        assert "○" in before or "◌" in before
        terminal.quit()
    before_quitting = kept(store)
    assert len(before_quitting) == 3 and overridden in before_quitting
    with Terminal(explorer(store), cwd=tmp_path) as terminal:
        terminal.wait_for("sample")
        terminal.wait_for("●")  # the tree is there; what its card tells depends on when we quit
        terminal.press("U")  # the decision that was undone before quitting
        terminal.wait_for(lambda _: kept(store) == before_quitting | {"R.L", "R.F"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "environment"),
    [(80, 24, {"TERM": "xterm-256color"}), (59, 15, {}), (120, 36, {"NO_COLOR": "1"})],
)
def test_it_is_usable_at_any_size_and_without_colour(grown, width, height, environment):
    with Terminal(
        explorer(grown), cwd=grown.parent, width=width, height=height, environment=environment
    ) as terminal:
        screen = terminal.wait_for("●")
        assert max(len(line) for line in screen.splitlines()) <= width
        if "NO_COLOR" in environment:
            coloured = re.findall(
                r"\x1b\[[\d;]*[34][0-7]m|\x1b\[[34]8;", terminal.screen(colours=True)
            )
            assert coloured == []
        terminal.quit()


HOSTILE = "[/foo] [@click=app.quit]x[/] \x1b[31m\x9b31m \u202eevil\u2066 a\nb"


def workers_below(pid: int) -> list[int]:
    """The worker processes that descend from a process."""
    found, parents = [], [pid]
    while parents:
        parent = parents.pop()
        for task in Path(f"/proc/{parent}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                parents.append(child)
                if b"engine.worker.process" in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(child)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers through /proc")
def test_a_hostile_run_harms_nothing(tmp_path):
    folder = tmp_path / "[bold]odd[foo]"
    folder.mkdir()
    store = folder / "[@click=app.quit]x.pex.db"
    command = explorer("sample", "--yes", "--store", store, *QUICK)
    with Terminal(command, cwd=folder) as terminal:
        terminal.wait_for(lambda screen: "recovery" in screen, 120)
        for pid in workers_below(terminal.pid):
            os.kill(pid, signal.SIGKILL)  # in the midst of an epoch
        sizes = [(120, 36), (80, 24), (40, 10), (20, 5), (200, 60), (61, 17)]
        until, step = time.monotonic() + 10, 0
        while time.monotonic() < until:  # the pace is what is tested
            terminal.resize(*sizes[step % len(sizes)])
            step += 1
            time.sleep(0.1)
        terminal.resize(120, 36)
        terminal.wait_for(lambda screen: max(map(len, screen.splitlines())) == 120)
        terminal.wait_for(lambda _: {"R.L", "R.F"} <= ready(store), 120)
        terminal.press("n")
        terminal.wait_for("Note")
        terminal.type("[/foo] [@click=app.quit]x")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "Note" not in screen)
        terminal.press("#")
        terminal.wait_for("Tag")
        terminal.type("[bold red]")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "Tag" not in screen)
        terminal.resize(120, 60)  # room for all that is known of a node
        terminal.press("3")
        told = "[/foo] [@click=app.quit]x", "[bold red]"
        screen = terminal.wait_for(lambda screen: all(each in screen for each in told))
        assert "Traceback" not in screen
        terminal.quit()
    with TreeStore.open(store) as opened:
        node = opened.node(opened.latest_run().id, "R")
        opened.note(node.id, HOSTILE)
        opened.tag(node.id, HOSTILE[:80])
    with Terminal(explorer(store), cwd=folder) as terminal:
        terminal.wait_for("●")
        terminal.press("3")
        terminal.wait_for("evil")
        raw = terminal.screen(colours=True)
        assert "\x9b" not in raw and "\u202e" not in raw
        assert not re.search(r"\x1b(?!\[[\d;]*m)", raw)  # colours, and no other escape
        terminal.quit()


@pytest.mark.slow
def test_resizing_ten_times_a_second_harms_nothing(grown):
    with Terminal(explorer(grown), cwd=grown.parent) as terminal:
        terminal.wait_for("●")
        sizes = [(120, 36), (80, 24), (40, 10), (20, 5), (200, 60), (61, 17)]
        until = time.monotonic() + 3
        step = 0
        while time.monotonic() < until:  # the pace is what is tested
            terminal.resize(*sizes[step % len(sizes)])
            step += 1
            time.sleep(0.1)
        terminal.resize(120, 36)
        screen = terminal.wait_for("●")
        assert "Traceback" not in screen


@pytest.mark.slow
def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(tmp_path, grown):
    command = " ".join(explorer(grown))
    with Terminal(["bash", "--norc", "-i"], cwd=tmp_path) as terminal:
        terminal.type(f"PS1='shell> '; {command}")
        terminal.press("Enter")
        terminal.wait_for("R.L", 60)
        terminal.press("C-z")
        terminal.wait_for("Stopped", 30)
        terminal.type("fg")
        terminal.press("Enter")
        terminal.wait_for(lambda screen: "what next?" in screen and "Stopped" not in screen, 30)
        terminal.press("q")
        terminal.wait_for("shell> ", 60)
