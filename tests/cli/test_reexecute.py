"""`verify` and `verify --reexecute` on a real tree, as a user runs them."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from json_shapes import problems
from regrown import grow, names, rewrite

from engine.contracts.jobs import Diagnosis, Recover, Tune
from explorer.cli.commands import verify as command
from explorer.cli.json_types import StoreVerified
from explorer.cli.progress import ByteProgress
from explorer.executors.in_process import InProcessExecutor
from store.audit.verify import KINDS, verify


@pytest.fixture(scope="module")
def grown(tmp_path_factory) -> Path:
    return grow(tmp_path_factory.mktemp("grown"))


@pytest.fixture
def path(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(grown, tmp_path / "tree.pex.db"))


def run(*arguments) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", "explorer.cli", "verify", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=240)


def test_each_check_of_a_real_tree_has_its_line_and_its_count(path):
    ended = run(path)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0 and [line.split()[:2] for line in lines[: len(KINDS)]] == [
        ["✓", kind] for kind in KINDS
    ]
    checked = json.loads(run(path, "--json").stdout)["checked"]
    # R, two candidates each of R and of the kept one; two were kept and tuned
    assert checked["lineage"] == 5 and checked["result"] == 7 and checked["edit"] == 4
    rewrite(path, ("UPDATE decision SET run_id = 9",))
    assert "✗ decision           2 decisions: 2 wrong" in run(path).stdout


def test_a_node_is_made_again_and_the_store_stays_as_it_was(path):
    kept, _ = names(path)
    before = path.read_bytes()
    ended = run(path, "--reexecute", kept)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith(f"{kept}: identical, bit for bit\n")
    assert ended.stdout.count("the same bits") == 2
    assert path.read_bytes() == before and not path.with_name(path.name + ".spool").exists()


class AnotherMachine(InProcessExecutor):
    """Rounds differently (it draws other batches), and may say that it is another machine."""

    torch: str | None = None

    async def run(self, request, on_event):
        if isinstance(request.job, Recover | Tune):
            request = replace(request, job=replace(request.job, seed=99))
        result = await super().run(request, on_event)
        if self.torch is None or not isinstance(result, Diagnosis):
            return result
        return replace(result, environment=replace(result.environment, torch=self.torch))


def test_other_bits_are_a_finding_here_and_none_elsewhere(path, monkeypatch, capsys):
    monkeypatch.setattr(
        "explorer.cli.commands.reproduce.WorkerPool", lambda spool, log: AnotherMachine(spool)
    )
    _, name = names(path)
    assert command.verify_store(path, reexecute=name, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert problems(StoreVerified, found) == []
    assert found["sound"] and found["reexecuted"]["verdict"] == "different"
    (snapshot,) = found["reexecuted"]["snapshots"]
    assert snapshot["sha256"] != snapshot["stored_sha256"]
    monkeypatch.setattr(AnotherMachine, "torch", "99.0")
    assert command.verify_store(path, reexecute=name, as_json=False) == 0
    told = capsys.readouterr().out
    assert "equivalent, not identical: the environment differs in torch: " in told
    assert "99.0 now" in told and "similarity: " in told


def test_a_node_that_cannot_be_made_again_is_a_usage_error(path):
    ended = run(path, "--reexecute", "R")
    assert ended.returncode == 2 and "checkpoint" in ended.stderr
    assert run(path, "--reexecute", "R.Q").returncode == 1


def test_a_check_that_takes_long_says_what_is_left(path, monkeypatch):
    monkeypatch.setattr(ByteProgress, "QUIET_SECONDS", 0)
    monkeypatch.setattr(ByteProgress, "LINE_SECONDS", 0.01)
    said = io.StringIO()

    def slow(path, progress):
        for done, word in ((0, "checking pages"), (1e6, "1 of 9 MB"), (2e6, "left")):
            progress(done, 9e6 if done else 0)
            deadline = time.monotonic() + 60
            while word not in said.getvalue():
                assert time.monotonic() < deadline, said.getvalue()
                time.sleep(0.001)
        return verify(path)

    monkeypatch.setattr(command, "verify", slow)
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        assert command.verify_store(path, as_json=False) == 0
