"""The whole story in a real terminal: plan, tour, leave for the night, come back, look around."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tmux import Terminal, explorer

from store import TreeStore

pytestmark = [
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]
BIN = Path(sys.executable).parent
SMALL = ("--criterion", "l1", "--recovery-epochs", "1", "--tune-epochs", "1",
         "--train-limit", "320")  # fmt: skip


class Home:
    """A person's folder: their tree, their state, and a shell in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "tree.pex.db"
        self.environment = {
            "PE_EXPLORE_STATE": str(folder / "state.json"),
            "PE_EXPLORE_CONFIG": str(folder / "config.toml"),
            "OMP_NUM_THREADS": "1",
        }

    def terminal(self, *arguments: str | Path) -> Terminal:
        return Terminal(
            explorer(*arguments), cwd=self.folder, width=140, height=40,
            environment=self.environment,
        )  # fmt: skip

    def command(self, *arguments: object) -> str:
        """What a command prints; fails where it does."""
        return self.shell(shlex.join(explorer(*map(str, arguments))))

    def shell(self, line: str) -> str:
        ended = subprocess.run(
            ["sh", "-c", line], capture_output=True, text=True, timeout=300, cwd=self.folder,
            env={**os.environ, **self.environment, "PATH": f"{BIN}:{os.environ['PATH']}"},
        )  # fmt: skip
        assert ended.returncode == 0, (line, ended.stdout, ended.stderr)
        return ended.stdout

    def kept(self, store: Path | None = None) -> set[str]:
        """The nodes of the newest run that are kept, but for the root."""
        with TreeStore.open(store or self.store, read_only=True) as opened:
            nodes = opened.nodes(opened.latest_run().id)
            return {node.name for node in nodes if node.kept and node.depth}

    def actors(self) -> list[str]:
        """Who decided, in order."""
        with TreeStore.open(self.store, read_only=True) as opened:
            return [each.actor for each in opened.decisions(opened.latest_run().id)]


def plan_and_tour(terminal: Terminal) -> None:
    """The sheet before the first job, another preset, the tour; until a decision awaits."""
    terminal.wait_for("One decision", 120)
    terminal.press("p")
    terminal.wait_for("quick")
    terminal.press("Enter")
    for step in range(1, 6):
        terminal.wait_for(f"{step} of 5", 120)
        terminal.press("Enter")
    terminal.wait_for(lambda screen: "a approve" in screen and "5 of 5" not in screen, 180)


def leave_three_jobs_and_three_decisions(terminal: Terminal) -> None:
    terminal.press("b")  # both are tuned, and
    terminal.press("Home", "e")  # another candidate is made at the root
    terminal.wait_for("candidate of R")
    terminal.press("Enter")
    terminal.wait_for(lambda screen: "candidate of R" not in screen)
    terminal.press("A")
    terminal.wait_for("Let the policy decide")
    terminal.press("Enter")
    terminal.wait_for("auto 3")
    terminal.press("q")
    terminal.wait_for("Left to the policy: 3 decisions")


def all_is_done(home: Home) -> None:
    """What was left has been done, and opening the tree finds nothing under way."""
    (ended,) = json.loads(home.command("jobs", "wait", "--json"))["work"]
    assert ended["decided"] == 3 and not ended["failed"]
    assert home.actors() == ["user", "cka", "cka", "cka"]
    with TreeStore.open(home.store, read_only=True) as opened:
        run = opened.latest_run().id
        assert {node.state for node in opened.nodes(run)} == {"ready"}
        assert len(opened.children(opened.node(run, "R").id)) == 3, "the other candidate"


def test_planned_toured_left_for_the_night_and_found_done(tmp_path):
    home = Home(tmp_path)
    with home.terminal("sample", "--store", home.store, *SMALL) as terminal:
        plan_and_tour(terminal)
        leave_three_jobs_and_three_decisions(terminal)
        assert len(re.findall(r"(?:tune|propose|candidate): ", terminal.screen())) >= 3
        terminal.press("l")
        terminal.wait_for("ended with 0")
    all_is_done(home)
    with home.terminal(home.store) as terminal:
        screen = terminal.wait_for(lambda screen: "await you" in screen and "idle" in screen, 60)
        assert "auto" not in screen.splitlines()[0]
        terminal.press("i")
        see_how_two_networks_differ(terminal)
        decide_by_a_copied_command(terminal, home)


def see_how_two_networks_differ(terminal: Terminal) -> None:
    terminal.press("End", "v", "c")
    terminal.wait_for("how does another one differ?")
    terminal.press("Escape")
    terminal.wait_for("Jobs")


def decide_by_a_copied_command(terminal: Terminal, home: Home) -> None:
    """The command that is copied does in a shell what the key does in the app."""
    before = home.kept()
    terminal.press("End", "$")
    terminal.wait_for("Copy as a command")
    terminal.press("Enter")  # the first one: what is suggested
    terminal.wait_for("copied: pe-explore decide")
    copied = terminal.clipboard()
    assert shlex.split(copied)[:2] == ["pe-explore", "decide"]
    terminal.quit()
    other = home.folder / "other.pex.db"
    shutil.copy(home.store, other)
    home.shell(copied)
    (by_command,) = home.kept() - before
    with home.terminal(other) as app:
        app.wait_for("a approve")
        app.press("End", "a")
        app.wait_for(lambda _: home.kept(other) - before == {by_command})
        app.quit()
