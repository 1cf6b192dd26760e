"""Random command lines end with an exit code and words, never with a traceback or not at all."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time

import pytest
from budget import rounds
from command_lines import OddFiles, command_line, harmful
from typer.testing import CliRunner

from explorer.cli.main import app
from explorer.executors.errors import WorkerStartError
from explorer.executors.worker_process import WorkerProcess

EXIT_CODES = {0, 1, 2, 130}
MOST_SECONDS = 5.0  # of a command that starts no worker
BUSY = 12  # so much longer it may take on a machine that does other things too


@pytest.fixture
def files(tmp_path, monkeypatch) -> OddFiles:
    made = OddFiles(tmp_path)
    monkeypatch.chdir(tmp_path)
    return made


async def no_worker(self: WorkerProcess) -> None:
    """What would be work is where a line ends here: the checks before it are what is tried."""
    raise WorkerStartError("no worker starts in this test")


def fault_of(result) -> str | None:
    """What is wrong with how a command ended."""
    error = result.exception
    if error is not None and not isinstance(error, SystemExit):
        return f"{type(error).__name__}: {error}"
    if result.exit_code not in EXIT_CODES:
        return f"exit code {result.exit_code}"
    if "Traceback" in result.output:
        return "a traceback"
    if found := harmful(result.output):
        return f"prints {found}"
    if result.exit_code in (1, 2) and not result.output.strip():
        return "says nothing"
    return None


def try_lines(files: OddFiles, seconds: float) -> tuple[int, list[str]]:
    runner, tries, faults = CliRunner(), 0, []
    for name in ("explore", "auto", "compare", "export", "pack_merge", "reproduce", "train"):
        importlib.import_module(f"explorer.cli.commands.{name}")  # that takes seconds, once
    for chance in rounds(seconds):
        line = command_line(chance, files)
        started = time.process_time(), time.monotonic()
        result = runner.invoke(app, line)
        took = max(time.process_time() - started[0], (time.monotonic() - started[1]) / BUSY)
        fault = fault_of(result) or (f"took {took:.1f} s" if took > MOST_SECONDS else None)
        if fault:
            faults.append(f"{line!r}: {fault}")
        tries += 1
        files.renew()
    return tries, faults


@pytest.mark.slow
def test_random_command_lines_in_this_process(files, monkeypatch):
    monkeypatch.setattr(WorkerProcess, "ensure_started", no_worker)
    tries, faults = try_lines(files, 20)
    print(f"{tries} command lines, {len(faults)} faults")
    assert not faults, f"{len(faults)} of {tries}:\n" + "\n".join(faults[:20])
    assert tries >= 50


@pytest.mark.slow
def test_random_command_lines_as_processes(files):
    """A few with real streams; those that begin work are left out, for it takes long."""
    works = {"auto", "train", "doctor", "branch", "candidate", "export", "open"}
    tries, faults = 0, []
    for chance in rounds(15, seed=1):
        line = command_line(chance, files)
        if line[0] in works or "--reexecute" in " ".join(line) or "\0" in "".join(line):
            continue
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "explorer.cli", *line], capture_output=True, timeout=60,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:  # the system's own limits on arguments
            assert "too long" in str(error)
            continue
        output = (ended.stdout + ended.stderr).decode()
        wrong = ended.returncode not in EXIT_CODES or "Traceback" in output or harmful(output)
        if wrong:
            faults.append(f"{line!r}: {ended.returncode} {output[-300:]!r}")
        tries += 1
        files.renew()
    print(f"{tries} processes, {len(faults)} faults")
    assert not faults, "\n".join(faults[:10])
    assert tries >= 3
