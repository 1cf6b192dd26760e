"""Telling of the end of work: what a terminal is sent, and how a person's program is started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.session.notifying import NotifyError, run_command, sequence


def test_each_terminal_is_told_in_its_own_way():
    told = {kind: sequence(kind, "pe; x", "R: a;b", {}) for kind in ("bell", "osc9", "osc777")}
    assert told == {
        "bell": "\a",
        "osc9": "\x1b]9;pe; x: R: a;b\a",
        "osc777": "\x1b]777;notify;pe, x;R: a,b\a",
    }
    assert sequence("none", "pe", "R", {}) == ""


def test_tmux_is_asked_to_pass_it_on():
    told = sequence("osc9", "pe", "R", {"TMUX": "/tmp/x,1,0"})
    assert told == "\x1bPtmux;\x1b\x1b]9;pe: R\a\x1b\\"
    assert sequence("bell", "pe", "R", {"TMUX": "/tmp/x"}) == "\a"


@given(st.text(), st.sampled_from(["osc9", "osc777"]), st.sampled_from(["", "/tmp/tmux"]))
def test_no_text_ends_the_sequence_before_its_end(text, kind, tmux):
    told = sequence(kind, "pe", text, {"TMUX": tmux})
    inner = told.removeprefix("\x1bPtmux;").removesuffix("\x1b\\") if tmux else told
    assert inner.count("\x1b") == (2 if tmux else 1)
    assert inner.endswith("\a") and inner.count("\a") == 1 and "\x9c" not in inner
    assert len(told) < 500


def told_in(path: Path) -> list[str]:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text().splitlines()


def test_the_program_gets_its_words_and_the_news_and_no_shell_reads_them(tmp_path):
    program, told = tmp_path / "tell me", tmp_path / "told"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$#" "$1" "$2" "$PE_EXPLORE_NOTIFIED_STORE" > "{told}.new"\n'
        f'mv "{told}.new" "{told}"\n'
    )
    program.chmod(0o700)
    evil = f"$(touch {tmp_path}/evil); `id`\n&& x"
    run_command((str(program), "--now"), "a store.pex.db", evil)
    count, first, news, store = told_in(told)
    assert (count, first, store) == ("2", "--now", "a store.pex.db")
    assert news == evil.replace("\n", " ") and not (tmp_path / "evil").exists()


@pytest.mark.parametrize("command", ["/no/such/program", "."])
def test_one_that_cannot_be_started_is_told_by_name(command):
    with pytest.raises(NotifyError, match="notify-command of the configuration"):
        run_command((command,), "x.db", "R")
    run_command((), "x.db", "nobody is to be told")


def test_what_it_started_is_collected(tmp_path):
    before = set(os.listdir("/proc")) if os.path.isdir("/proc") else set()
    run_command(("true",), "x.db", "R")
    deadline = time.monotonic() + 30
    while any(_is_zombie_of_ours(pid) for pid in set(os.listdir("/proc")) - before):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_zombie_of_ours(pid: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return False
    return pid.isdigit() and fields[0] == "Z" and fields[1] == str(os.getpid())
