"""A root whose accuracy is doubtful: asked about before hours are spent, told of afterwards."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess

import pytest
from small import write_data, write_network
from test_cli import COMMAND, GROWING, run


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A network that guesses, its data, and the command that would grow a tree of it."""
    folder = tmp_path_factory.mktemp("untrained")
    model, data = write_network(folder), write_data(folder)
    return folder, ["auto", model, "--data", data, *GROWING, "--iterations", 1]


def test_without_a_terminal_a_root_near_chance_is_refused_and_nothing_stored(untrained):
    folder, command = untrained
    ended = run(*command, "--json", cwd=folder)
    assert ended.returncode == 1 and ended.stdout == ""
    assert "no better than chance" in ended.stderr and "--yes to grow it" in ended.stderr
    assert not list(folder.glob("*.db*"))


def test_at_a_terminal_it_is_asked_and_no_is_the_default(untrained):
    folder, command = untrained
    shown = answered(command, folder, b"\r")
    assert "Grow a tree of it all the same? [y/n] (n)" in shown
    assert "nothing was grown, nor stored" in shown
    assert not list(folder.glob("*.db*"))


@pytest.mark.slow
def test_yes_grows_it_and_its_doubts_are_told_wherever_its_figures_are(untrained):
    folder, command = untrained
    grown = run(*command, "--yes", "--json", cwd=folder)
    assert grown.returncode == 0, grown.stderr
    summary = json.loads(grown.stdout)
    (doubt,) = (each for each in summary["doubts"] if each["code"] == "chance")
    assert "no better than chance" in doubt["words"]
    store = summary["store"]
    again = run(*command, cwd=folder)  # resumed: not asked again, told again
    assert again.returncode == 0 and f"doubt: {doubt['words']}" in again.stdout
    for arguments in (("log", store), ("show", store, "R"), ("show", store, "R.L")):
        shown = run(*arguments)
        assert doubt["words"] in " ".join(shown.stdout.split()), arguments
        assert doubt in json.loads(run(*arguments, "--json").stdout)["doubts"]


def answered(command: list, folder, answer: bytes) -> str:
    """What the command shows at a terminal, where the question is answered so."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, command)], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "300"},
    )  # fmt: skip
    os.close(theirs)
    shown, is_answered = b"", False
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], 240)
            assert ready, shown
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
            if b"[y/n]" in shown and not is_answered:
                os.write(ours, answer)
                is_answered = True
        assert process.wait(60) == 1
    finally:
        process.kill()
        os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode(errors="replace"))
