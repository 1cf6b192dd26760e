"""Several runs of one store: listed, told apart by `--run`, and what seeds agree on."""

from __future__ import annotations

import json

import pytest
from rich_store import grow
from typer.testing import CliRunner

from explorer.cli.main import app


@pytest.fixture
def store(tmp_path):
    """Three runs: two that differ in their seeds only, and one with other settings."""
    path = tmp_path / "several.pex.db"
    grow(path, keep="R.L", seed=7)
    grow(path, keep="R.F", seed=8)
    grow(path, keep="R.L", seed=7, settings={"iterations": 2, "recovery_epochs": 3})
    return path


def run(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_runs_are_listed_with_their_way_and_what_sets_them_apart(store):
    listed = json.loads(run("runs", store, "--json"))
    assert [each["run"] for each in listed["runs"]] == [1, 2, 3]
    assert [each["way"][0] for each in listed["runs"]] == ["layer", "filter", "layer"]
    assert listed["runs"][0]["settings"] == {"recovery_epochs": 10}
    assert listed["runs"][1]["settings"] == {"recovery_epochs": 10}
    assert listed["runs"][2]["settings"] == {}
    assert "recovery-epochs 10" in run("runs", store)


def test_seeds_are_counted_where_nothing_else_differs(store):
    (group,) = json.loads(run("runs", store, "--json"))["seeds"]
    assert (group["runs"], group["seeds"]) == ([1, 2], [7, 8])
    first = group["steps"][0]
    assert first["kept"] == {"layer": 1, "filter": 1} and not first["agree"]
    # 0.975 and 0.9625: the mean, and the deviation of two values is their distance over √2.
    spread = first["measures"]["similarity"]
    assert spread["mean"] == pytest.approx(0.96875)
    assert spread["deviation"] == pytest.approx(0.0125 / 2**0.5) and spread["count"] == 2
    assert "0 of 2 decisions agree" in run("runs", store)


def test_it_is_told_where_seeds_part_and_what_each_of_them_kept(store):
    (group,) = json.loads(run("runs", store, "--json"))["seeds"]
    assert group["ways"] == [["layer", "filter"], ["filter", "filter"]]
    told = run("runs", store)
    assert "they part at decision 1: run 1 kept the layer, run 2 kept the filter" in told


def test_a_run_that_is_steered_is_named_by_its_number(store):
    run("tag", store, "R.F.F", "mine", "--run", 2)
    assert '"mine"' in run("show", store, "R.F.F", "--run", 2, "--json")
    missing = CliRunner().invoke(app, ["tag", str(store), "R.F.F", "mine"])
    assert missing.exit_code != 0, "the newest has no such node"


def test_a_run_of_what_is_no_store_is_refused(tmp_path):
    refused = CliRunner().invoke(app, ["auto", "sample", "--run", "1"])
    assert refused.exit_code == 2 and "--run is about a run of a store" in refused.output


def test_a_step_that_agrees_below_one_that_did_not_is_no_agreement(store):
    (group,) = json.loads(run("runs", store, "--json"))["seeds"]
    second = group["steps"][1]
    assert second["kept"] == {"filter": 2} and not second["agree"]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("log",), '"R.F.F"'),
        (("show", "R.F.F"), '"R.F.F"'),
        (("replay",), '"R.F.F"'),
        (("compare", "R", "R.F.F"), '"R.F.F"'),
    ],
)
def test_a_run_is_named_by_its_number_on_every_command_that_reads(store, command, expected):
    name, *rest = command
    assert expected in run(name, store, *rest, "--run", 2, "--json")
    newest = CliRunner().invoke(app, [name, str(store), *rest, "--json"])
    assert expected not in newest.output, "without it the newest one is meant"


def test_figures_and_packed_nodes_are_of_the_run_that_is_named(store, tmp_path):
    pictures = set()
    for number in (1, 2, 3):
        run("figure", store, "tree", tmp_path / "t.svg", "--run", number)
        pictures.add((tmp_path / "t.svg").read_text())
    assert len(pictures) == 2, "the first and the third grew alike"
    run("pack", store, tmp_path / "p.db", "--nodes", "R.F.F", "--run", 2)
    assert '"R.F.F"' in run("log", tmp_path / "p.db", "--json")


def test_log_says_that_there_are_other_runs(store):
    assert "other runs are in this store: 1 (tiny-1), 2 (tiny-1)" in run("log", store)


@pytest.mark.parametrize("name", ["4", "nobody", ""])
def test_a_run_that_there_is_not_is_refused_with_those_that_there_are(store, name):
    refused = CliRunner().invoke(app, ["log", str(store), "--run", name])
    assert refused.exit_code == 2
    assert f"has no run '{name}'; it has 1 (tiny-1), 2 (tiny-1), 3 (tiny-1)" in refused.output


def test_run_without_what_it_is_for_is_refused(store, tmp_path):
    packed = CliRunner().invoke(app, ["pack", str(store), str(tmp_path / "x.db"), "--run", "1"])
    assert packed.exit_code == 2 and "--nodes" in packed.output
    verified = CliRunner().invoke(app, ["verify", str(store), "--run", "1"])
    assert verified.exit_code == 2 and "--reexecute" in verified.output
