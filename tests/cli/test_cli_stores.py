"""The commands that read and care for stores, as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from small_tensors import WITHOUT_FILTERS, grow, tensors

from store import TreeStore

COMMAND = [sys.executable, "-m", "explorer.cli"]


def run(*arguments, **options) -> subprocess.CompletedProcess:
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tree.pex.db"
    with TreeStore.open(path, create=True) as store:
        grow(store)
    return path


def test_verify_says_that_a_store_is_sound_and_ends_with_0(path):
    ended = run("verify", path)
    assert ended.returncode == 0 and "sound; 6 snapshots" in ended.stdout and ended.stderr == ""


def test_verify_names_what_is_damaged_and_what_is_not_and_ends_with_1(path):
    content = bytearray(path.read_bytes())
    content[content.index(tensors(WITHOUT_FILTERS, 2)[-64:])] ^= 1
    path.write_bytes(content)
    ended = run("verify", path)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "cannot be used: R.F\n" in ended.stdout and "can be used: R, R.L" in ended.stdout
    found = json.loads(run("verify", path, "--json").stdout)
    assert not found["sound"] and found["unusable"] == [{"run": 1, "node": "R.F"}]
    assert run("verify", path.with_name("no.db")).returncode == 1


def test_replay_tells_the_same_tree_in_lines_as_objects_and_at_any_moment(path):
    told = run("replay", path).stdout.splitlines()
    moments = [json.loads(line) for line in run("replay", path, "--json").stdout.splitlines()]
    assert len(told) == len(moments)
    for line, moment in zip(told, moments, strict=True):
        assert line.endswith(moment["text"]) and line.split()[0] == str(moment["event"])
    shown = json.loads(run("replay", path, "--at", moments[-1]["event"], "--json").stdout)
    assert shown["nodes"] == json.loads(run("log", path, "--json").stdout)["nodes"]
    first = json.loads(run("replay", path, "--at", moments[0]["event"], "--json").stdout)
    assert [node["name"] for node in first["nodes"]] == ["R"]
    assert run("replay", path, "--at", 10_000).returncode == 2


def drop(path: Path, *names: str) -> None:
    with TreeStore.open(path) as store:
        for name in names:
            store.drop(store.node(1, name).id)


def test_gc_tells_what_would_go_and_frees_nothing_unasked(path):
    assert "nothing to free" in run("gc", path, "--dry-run").stdout
    drop(path, "R.L")
    before = run("log", path, "--json").stdout
    told = run("gc", path, "--dry-run")
    assert told.returncode == 0 and "3 dropped nodes: R.L, R.L.F, R.L.F2" in told.stdout
    refused = run("gc", path, stdin=subprocess.DEVNULL)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    assert run("log", path, "--json").stdout == before


def test_gc_frees_once_agreed_and_the_tree_shows_it(path):
    drop(path, "R.L")
    done = json.loads(run("gc", path, "--yes", "--json").stdout)
    assert done["freed"] and done["bytes"] > 0 and len(done["results"]) == 4
    log = run("log", path).stdout
    assert "R.L (freed)" in log and "R.F (" not in log
    assert run("verify", path).returncode == 0
    assert "R.L: weights freed" in run("replay", path).stdout
    again = run("gc", path, "--yes")
    assert again.returncode == 0 and "nothing to free" in again.stdout
