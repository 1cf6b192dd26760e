"""compare, pack and merge as a user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explorer.cli.main import app
from store import TreeStore

LAYER = {"structure": "layer", "blocks": ["layer1.1"]}
FILTER = {"structure": "filter", "filters": {"layer1.0.conv1": [1, 2]}}


def grow(path: Path, *, seed: int = 0, keep: str = "R.L", similarity: float = 0.9, **settings):
    """A run whose root has two candidates, one of them kept, and two below that one."""
    with TreeStore.open(path, create=True) as store:
        run = store.create_run(
            name="tiny", seed=seed, architecture={"depth": 20}, data={}, settings=settings,
            environment={}, root_metrics={"val_accuracy": 90.0, "macs": 1000.0},
            root_snapshot=b"root",
        )  # fmt: skip
        root = store.node(run.id, "R")
        candidates(store, root, similarity)
        kept = store.node(run.id, keep)
        store.decide(root.id, kept=[kept.id], suggested=kept.id, actor="cka",
                     reason="more similar [/b]", margin=0.05, margin_low=0.01, margin_high=0.09,
                     too_close=False)  # fmt: skip
        candidates(store, kept, similarity)
        return run


def candidates(store, parent, similarity: float) -> None:
    for node in store.add_candidates(parent.id, proposal={}, edits=[LAYER, FILTER]):
        store.finish(node.id, "recovered", snapshot=node.name.encode(),
                     metrics={"val_accuracy": 88.0, "macs": 800.0, "similarity": similarity},
                     epochs=[], resamples=None, seconds=1.0)  # fmt: skip


def run(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def as_json(*arguments):
    code, output = run(*arguments, "--json")
    assert code == 0, output
    return json.loads(output)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    grow(tmp_path / "tree.pex.db", iterations=2)
    return tmp_path / "tree.pex.db"


def test_nodes_are_shown_side_by_side_in_the_order_asked_for(tree: Path) -> None:
    found = as_json("compare", tree, "R.L", "R.F", "R")
    assert [node["name"] for node in found["nodes"]] == ["R.L", "R.F", "R"]
    code, output = run("compare", tree, "R.L", "R.F")
    lines = output.splitlines()
    assert code == 0 and lines[0].split() == ["R.L", "R.F"]
    assert next(line for line in lines if "kept" in line).split()[-2:] == ["yes", "no"]


def test_one_node_is_compared_with_its_parent(tree: Path) -> None:
    found = as_json("compare", tree, "R.L.F")
    assert [node["name"] for node in found["nodes"]] == ["R.L", "R.L.F"]


def test_it_says_where_two_stores_part_and_why(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pex.db"
    grow(other, seed=3, keep="R.F", similarity=0.8, iterations=5)
    found = as_json("compare", tree, other)
    assert found["difference"]["parent"] == "R" and found["difference"]["kind"] == "decision"
    assert [side["kept"] for side in found["difference"]["sides"]] == [["R.L"], ["R.F"]]
    assert found["conditions"] == {"seed": [0, 3], "settings: iterations": [2, 5]}
    code, output = run("compare", tree, other)
    assert code == 0 and "they part at R: they kept different candidates" in output
    assert "R.F kept by cka: more similar [/b], margin +0.0500 [+0.0100, +0.0900]" in output


def test_it_says_where_two_runs_of_a_store_end_differently(tree: Path) -> None:
    second = grow(tree, similarity=0.9001, iterations=2)
    with TreeStore.open(tree) as store:
        below = store.node(second.id, "R.L.F")
        store.decide(below.parent_id, kept=[below.id], suggested=None, actor="user", reason="mine")
    found = as_json("compare", tree, "--runs", "1", "2")
    assert found["agreed"] == ["R"] and found["difference"]["parent"] == "R.L"
    assert found["largest_gap"] == pytest.approx(1e-4) and found["conditions"] == {}
    first, other = found["difference"]["sides"]
    assert first["kept"] is None and other["kept"] == ["R.L.F"] and other["reason"] == "mine"


def test_other_candidates_under_the_same_names_are_a_difference(tree: Path) -> None:
    with TreeStore.open(tree) as store:
        run_ = store.create_run(
            name="tiny", seed=0, architecture={"depth": 20}, data={}, settings={"iterations": 2},
            environment={}, root_metrics={"val_accuracy": 90.0, "macs": 1000.0},
            root_snapshot=b"root",
        )  # fmt: skip
        root = store.node(run_.id, "R")
        edit = {"structure": "layer", "blocks": ["layer2.1"]}
        (node,) = store.add_candidates(root.id, proposal={}, edits=[edit])
        store.finish(node.id, "recovered", snapshot=b"x", metrics={"macs": 8.0}, epochs=[],
                     resamples=None, seconds=1.0)  # fmt: skip
        store.decide(root.id, kept=[node.id], suggested=None, actor="user", reason="")
    found = as_json("compare", tree, "--runs", "1", "2")
    assert found["difference"]["kind"] == "candidates"


def test_a_run_agrees_with_its_own_copy(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "copy.pex.db"
    packed = as_json("pack", tree, other)
    assert packed["runs"] == 1 and packed["nodes"] == 5 and packed["bytes"] > 0
    found = as_json("compare", tree, other)
    assert found["difference"] is None and found["conditions"] == {}
    assert "never decided differently" in run("compare", tree, other)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "say what to compare"),
        (("R", "--runs", "1", "2"), "leave out the nodes"),
        (("--runs", "1", "7"), "no run '7'"),
        (("R.X",), "no node 'R.X'"),
        (("there-is-none.db",), "no file"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(tree: Path, arguments, words) -> None:
    code, output = run("compare", tree, *arguments)
    assert code in (1, 2) and words in output and output.count("\n") == 1


def test_some_nodes_are_packed_with_their_way(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "part.pex.db"
    assert as_json("pack", tree, other, "--nodes", "R.F")["nodes"] == 3
    code, output = run("pack", tree, other)
    assert code == 1 and "there already" in output


def test_merging_tells_of_every_run(tree: Path, tmp_path: Path) -> None:
    into = tmp_path / "into.pex.db"
    grow(into, seed=9)
    found = as_json("merge", into, tree)
    assert [each["outcome"] for each in found["runs"]] == ["copied"]
    assert "already there" in run("merge", into, tree)[1]
    shutil.copy(into, tmp_path / "fork.pex.db")
    for file, edit in ((into, LAYER), (tmp_path / "fork.pex.db", FILTER)):
        with TreeStore.open(file) as store:
            store.add_candidates(store.node(1, "R.F").id, proposal={}, edits=[edit])
    code, output = run("merge", into, tmp_path / "fork.pex.db")
    assert code == 1 and "refused: both stores went on" in output and "already there" in output
