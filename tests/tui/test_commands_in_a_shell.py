"""What dialogs copy, run in a real shell, makes the same node and the same decision."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.contracts.requests import BranchRequest, CandidateRequest, RemoveUnits
from explorer.executors.in_process import InProcessExecutor
from explorer.session.budget import Budget
from explorer.session.open_run import Request, open_session
from explorer.session.steering import Steering
from explorer.views import dialog_commands as commands
from store import TreeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from small import request_of, write_data, write_network

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CANDIDATE = CandidateRequest(RemoveUnits(3, "global"))
BRANCH = BranchRequest("layer", 1)
BUDGET = Budget(decisions=1)


def steered(request: Request, play) -> None:
    """Does it as the app does."""

    async def run():
        session = await open_session(request, InProcessExecutor, lambda event: None)
        steering = Steering(session)
        try:
            steering.resume()
            await steering.idle()
            play(steering)
            await steering.idle()
        finally:
            await steering.stop()
            await session.close()

    asyncio.run(run())


def shell(command: str, folder: Path) -> None:
    """Runs a command as a person would paste it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True,
                   env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"})  # fmt: skip


def held(store: Path) -> tuple:
    """Nodes with their edits and weights, and decisions: what two trees are compared by."""
    with TreeStore.open(store, read_only=True) as opened:
        run = opened.latest_run()
        nodes = opened.nodes(run.id)
        return (
            {node.name: (node.edit, node.kept, node.state) for node in nodes},
            [(d.parent_id, d.kept, d.actor) for d in opened.decisions(run.id)],
        )


@pytest.fixture(scope="module")
def beginning(tmp_path_factory):
    """A tree whose root has both candidates, measured."""
    folder = tmp_path_factory.mktemp("shell")
    files = write_network(folder), write_data(folder)
    steered(request_of(files, folder / "it.pex.db"), lambda steering: steering.grow(steering.tip()))
    return folder / "it.pex.db"


@pytest.mark.parametrize(
    ("play", "command"),
    [
        (lambda s: s.candidate(s.session.node("R"), CANDIDATE),
         lambda store: commands.candidate_command(store, "R", CANDIDATE)),
        (lambda s: s.branch(s.session.node("R"), BRANCH),
         lambda store: commands.branch_command(store, "R", BRANCH)),
        (lambda s: s.let_decide(BUDGET, s.session.node("R")),
         lambda store: commands.alone_command(store, "R", BUDGET, everywhere=False, until="")),
    ],
    ids=["candidate", "branch", "alone"],
)  # fmt: skip
def test_a_copied_command_does_in_a_shell_what_the_dialog_does(beginning, tmp_path, play, command):
    here, there = tmp_path / "here it is.pex.db", tmp_path / "there.pex.db"
    for copy in (here, there):
        shutil.copy(beginning, copy)
    steered(Request(str(here)), play)
    shell(command(str(there)).text, tmp_path)
    assert held(here) == held(there) != held(beginning)
