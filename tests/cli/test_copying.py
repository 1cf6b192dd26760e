"""What compare tells of figures and runs, and packing over a store, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explorer.cli.main import app
from store import TreeStore
from store.audit.verify import verify


def grow(path: Path, *, name: str = "tiny", keep: str = "R.L") -> None:
    """A run with two candidates, one of them kept."""
    with TreeStore.open(path, create=True) as store:
        run = store.create_run(
            name=name, seed=0, architecture={}, data={}, settings={}, environment={},
            root_metrics={"val_accuracy": 90.0, "macs": 1000.0, "params": 50},
            root_snapshot=b"root",
        )  # fmt: skip
        root = store.node(run.id, "R")
        edits = [
            {"structure": "layer", "blocks": ["layer1.1"]},
            {"structure": "filter", "filters": {"layer1.0.conv1": [1, 2]}},
        ]
        for place, node in enumerate(store.add_candidates(root.id, proposal={}, edits=edits)):
            metrics = {"val_accuracy": 90.0 - place, "macs": 800.0, "params": 40, "similarity": 0.9}
            store.finish(node.id, "recovered", snapshot=node.name.encode() * 20_000, epochs=[],
                         metrics=metrics, resamples=None, seconds=1.0)  # fmt: skip
        kept = store.node(run.id, keep)
        store.decide(root.id, kept=[kept.id], suggested=kept.id, actor="cka", reason="so",
                     margin=0.05, margin_low=0.01, margin_high=0.09, too_close=False)  # fmt: skip


def run(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def as_json(*arguments):
    code, output = run(*arguments, "--json")
    assert code == 0, output
    return json.loads(output)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    grow(tmp_path / "tree.pex.db")
    return tmp_path / "tree.pex.db"


def line_of(output: str, title: str) -> list[str]:
    return next(ln for ln in output.splitlines() if ln.startswith(title))[len(title) :].split()


def test_figures_come_with_their_distance_from_the_first_node(tree: Path) -> None:
    with TreeStore.open(tree) as store:
        store.tag(store.node(1, "R.F").id, "small \x1b[31m")
    code, output = run("compare", tree, "R.L", "R.F")
    assert code == 0
    assert line_of(output, "val acc %") == ["90.00", "89.00", "(-1.00)"]
    assert line_of(output, "parameters") == ["40", "40", "(+0)"]
    assert line_of(output, "tags")[:2] == ["–", "small"] and "\x1b" not in output
    found = as_json("compare", tree, "R.L", "R.F")
    assert found["differences"]["R.F"]["val_accuracy"] == -1.0


def test_nodes_of_an_older_run_are_compared_by_its_name(tree: Path) -> None:
    grow(tree, name="newer")
    assert as_json("compare", tree, "R.L", "R.F")["run"] == "newer"
    assert as_json("compare", tree, "R.L", "R.F", "--run", "tiny")["run"] == "tiny"
    code, output = run("compare", tree, "R", "--run", "absent")
    assert code == 2 and "no run 'absent'" in output
    code, output = run("compare", tree, "--runs", "1", "2", "--run", "1")
    assert code == 2 and "--run names the run of nodes" in output


def test_two_runs_are_shown_with_their_paths_and_their_bests(tree: Path) -> None:
    grow(tree, name="newer", keep="R.F")
    found = as_json("compare", tree, "--runs", "tiny", "newer")
    assert [side["best"]["name"] for side in found["runs"]] == ["R.L", "R.F"]
    assert [[each["kept"] for each in row] for row in found["decisions"]] == [[["R.L"], ["R.F"]]]
    code, output = run("compare", tree, "--runs", "tiny", "newer")
    assert code == 0 and "best of A: R.L, val acc 90.00 %, test acc –, 20.00 % fewer" in output
    assert "R.F by cka, margin +0.0500 [+0.0100, +0.0900]" in output


def test_a_tree_is_not_packed_over_itself_nor_over_what_is_no_store(tree, tmp_path) -> None:
    before = tree.read_bytes()
    link, notes = tmp_path / "link.pex.db", tmp_path / "notes.txt"
    link.symlink_to(tree)
    notes.write_text("mine")
    for out, words in ((tree, "itself"), (link, "itself"), (notes, "no SQLite database")):
        code, output = run("pack", tree, out, "--force")
        assert code == 1 and words in output
    assert tree.read_bytes() == before and notes.read_text() == "mine"


@pytest.mark.parametrize("nodes", [(), ("--nodes", "R.L")])
def test_a_store_is_replaced_when_that_is_asked_for(tree: Path, tmp_path: Path, nodes) -> None:
    out = tmp_path / "out.pex.db"
    grow(out, name="old")
    code, output = run("pack", tree, out, *nodes)
    assert code == 1 and "--force" in output
    with TreeStore.open(out):
        code, output = run("pack", tree, out, *nodes, "--force")
        assert code == 1 and "being written" in output
    found = as_json("pack", tree, out, *nodes, "--force")
    assert found["bytes"] == out.stat().st_size and found["bytes_before"] == tree.stat().st_size
    with TreeStore.open(out, read_only=True) as packed:
        assert [each.name for each in packed.runs()] == ["tiny"]
    left = {each.name for each in tmp_path.iterdir()}
    assert not [name for name in left if name.endswith((".new", ".new-wal", ".lock"))]


def test_packing_leaves_out_the_room_of_what_was_freed(tree: Path, tmp_path: Path) -> None:
    with TreeStore.open(tree) as store:
        store.drop(store.node(1, "R.F").id)
        store.free()
    out = tmp_path / "out.pex.db"
    found = as_json("pack", tree, out)
    assert found["bytes"] < found["bytes_before"]
    assert as_json("log", out)["nodes"] == as_json("log", tree)["nodes"]
    assert {finding.kind for finding in verify(out).findings} <= {"edit"}  # no tensors in it
    with TreeStore.open(out) as store:  # still one that is written to as before
        store.tag(store.node(1, "R.L").id, "goes on")
        pages = store._connection.row("PRAGMA page_size")
        assert pages is not None and pages[0] == 16_384
