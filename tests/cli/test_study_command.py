"""`study`: plan, refusal, table, report and JSON; `study oracle`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich_store import grow
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from json_shapes import problems
from small import write_data, write_network

from explorer.cli.main import app
from explorer.executors.in_process import InProcessExecutor
from explorer.views.study.oracle import OracleTold
from explorer.views.study.table import StudyTold
from store import TreeStore

WAYS = """
about = "one against the other"
[[way]]
name = "layers"
policy = "layers"
[[way]]
name = "filters"
policy = "filters"
"""
OPTIONS = ("tiny.pt", "--data", "bars.npz", "--min-blocks", "1", "--criterion-samples", "4",
           "--recovery-epochs", "1", "--tune-epochs", "2", "--batch-size", "16", "-n", "1",
           "--num-resamples", "2", "--seeds", "1")  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_network(folder)
    write_data(folder)
    (folder / "ways.toml").write_text(WAYS)
    return folder


@pytest.fixture(autouse=True)
def here(folder, monkeypatch):
    """Jobs run in this process; each part of what is measured for a moment."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("explorer.cli.commands.study_growing.workers", InProcessExecutor)
    monkeypatch.setattr("explorer.session.speed.SECONDS", 0.05)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def test_what_takes_long_is_not_begun_unasked(folder, monkeypatch):
    monkeypatch.setattr("explorer.cli.commands.study_growing.ASK_FROM", 0.0)
    options = ("--train-limit", 640, "-n", 1, "--criterion-samples", 2, "--store", "never.db")
    said = run("study", "ways.toml", "sample", *options, code=1).stderr
    assert "10 runs (2 ways, 5 seeds), each 1 decision and 2 epochs" in said
    assert "was not begun; --yes begins it" in said
    assert not (folder / "never.db").exists(), "nothing is stored"


def test_a_study_prints_its_table_and_goes_on_where_it_was(folder):
    first = run("study", "ways.toml", *OPTIONS, "--yes", "--json")
    table = json.loads(first.stdout)
    assert problems(StudyTold, table) == []
    assert Path(table["store"]).name == "tiny-study.pex.db"
    assert [row["way"] for row in table["rows"]] == ["layers", "filters", "root, trained on"]
    assert [row["runs"] for row in table["rows"]] == [["layers-s0"], ["filters-s0"], ["layers-s0"]]
    assert "── layers, seed 0, 0 of 3 done, about" in first.stderr

    again = run("study", "ways.toml", *OPTIONS, "--json")
    assert json.loads(again.stdout) == table and "──" not in again.stderr
    assert json.loads(run("study", "ways.toml", *OPTIONS, "--report", "--json").stdout) == table
    printed = run("study", "ways.toml", *OPTIONS, "--report").stdout
    assert "− layers [95 %]" in printed and "root as it was: 33.33 % validation" in printed

    told = json.loads(run("study", "oracle", "tiny-study.pex.db", "--json").stdout)
    assert problems(OracleTold, told) == [] and told["pairs"] == 0  # no run has grown both
    assert "no parent there has two" in run(
        "study", "oracle", "tiny-study.pex.db", code=2
    ).stderr  # fmt: skip


def test_what_a_study_cannot_be_of(folder):
    assert "did you mean 'table3'" in run("study", "table", "tiny.pt", code=2).stderr
    grow(folder / "tree.pex.db")
    assert "is a store" in run("study", "table3", "tree.pex.db", code=2).stderr
    assert "beside it" in run("study", "table3", "tiny.pt", "b.db", code=2).stderr
    assert "--seeds" in run("study", "table3", "tiny.pt", "--seed", "3", code=2).stderr
    assert "no file" in run("study", "table3", "tiny.pt", "--report", "--store", "no.db",
                            code=1).stderr  # fmt: skip


def test_the_oracle_says_in_words_what_a_signal_has_picked(folder):
    grow(folder / "a.pex.db")
    grow(folder / "b.pex.db", keep="R.F", seed=8)
    printed = run("study", "oracle", "a.pex.db", "b.pex.db").stdout
    # The layer's is the more similar, the less accurate one; both stores have the same weights.
    words = "the higher CKA to the parent picked the better of two in 0 % of 1 pair of 1 parent"
    assert f"{words}; a coin does 50 %." in printed
    assert "test accuracy after tuning (told, never decided by): 1 pair known" in printed


@pytest.mark.slow
def test_a_study_that_was_killed_comes_to_the_same_table(folder, tmp_path):
    """With workers of their own, killed in the middle of the second way."""
    command = [sys.executable, "-m", "explorer.cli", "study", "ways.toml", *OPTIONS, "--yes"]

    def table(store: Path) -> dict:
        done = subprocess.run(
            [*command, "--store", store, "--json"], capture_output=True, text=True, check=True
        )
        return {**json.loads(done.stdout), "store": ""}

    parted = tmp_path / "parted.db"
    begun = subprocess.Popen(
        [*command, "--store", parted], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    for line in begun.stderr:
        if line.startswith("── filters"):
            break
    begun.kill()
    begun.wait()
    begun.stderr.close()
    with TreeStore.open(parted, read_only=True) as store:
        assert {run.name for run in store.runs()} <= {"layers-s0", "filters-s0"}
    assert table(parted) == table(tmp_path / "whole.db")
