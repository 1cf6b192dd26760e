"""`diagram` and `diff`: the networks of a stored tree as text and as JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich_store import ENVIRONMENT, finish, grow, measured
from small_tensors import ROOT, WITHOUT_FILTERS, tensors
from typer.testing import CliRunner

from explorer.cli.main import app
from store import TreeStore

ARGUMENTS = {"stem_width": 4, "stage_widths": [4, 8], "inner_widths": [[4, 4, 4], [8, 8, 8]],
             "shortcut": "A", "num_classes": 10, "in_channels": 3}  # fmt: skip
PATHS = [f"layer{stage}.{n}" for stage in (1, 2) for n in range(3)]
GOLDEN = Path(__file__).with_name("golden_json")


def scored(least: str, paths=tuple(PATHS)) -> dict:
    blocks = {path: 0.0 if path == least else 1.0 + n for n, path in enumerate(paths)}
    filters = {f"{path}.conv1": [0.5 + n, 1.0] for n, path in enumerate(paths)}
    return {"criterion": "kl", "scores": {"blocks": blocks, "filters": filters}}


@pytest.fixture
def store(tmp_path):
    """R without layer1.1, or without two filters and then layer2.2."""
    path = tmp_path / "tree.pex.db"
    with TreeStore.open(path, create=True) as tree:
        run = tree.create_run(
            name="small-1", seed=1, architecture={"factory": "cifar_resnet",
            "arguments": ARGUMENTS, "edits": []}, data={"name": "sample", "digest": "d"},
            settings={"iterations": 2}, environment=ENVIRONMENT, root_snapshot=tensors(ROOT),
            root_metrics={"val_accuracy": 93.5, "macs": 1000, "params": 400},
        )  # fmt: skip
        filters = {"structure": "filter", "filters": {"layer1.1.conv1": [1], "layer2.1.conv1": [7]}}
        layer, units = tree.add_candidates(
            tree.node(run.id, "R").id, proposal=scored("layer1.1"),
            edits=[{"structure": "layer", "blocks": ["layer1.1"]}, filters],
        )  # fmt: skip
        for node, macs in ((layer, 800), (units, 900)):
            finish(tree, node, "recovered", tensors(WITHOUT_FILTERS, macs // 100),
                   measured(90, macs, macs / 3, 0.97))  # fmt: skip
        tree.decide(tree.node(run.id, "R").id, kept=[units.id], suggested=units.id, actor="cka",
                    reason="CKA", margin=-0.01, margin_low=-0.02, margin_high=-0.001,
                    too_close=False)  # fmt: skip
        tree.add_candidates(units.id, proposal=scored("layer2.2"),
                            edits=[{"structure": "layer", "blocks": ["layer2.2"]}])  # fmt: skip
    return path


def run(*arguments, code=0):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


def test_a_diagram_tells_without_colour_what_is_left_and_what_went(store):
    text = run("diagram", store, "R.F")
    assert "6 of 6 blocks · 34 of 36 filters" in text and "(−10.0% since the root)" in text
    assert re.search(r"▮ layer1\.1 +3/4 −1 █+▒+\n", text)
    below = run("diagram", store, "R.F.L")
    assert re.search(r"▬ layer2\.2 +gone +╌+\n", below)
    assert re.search(r"   layer1\.1 +3/4 +█+░+\n", below)


def test_rankings_are_those_that_were_stored_along_the_way(store):
    text = run("diagram", store, "R.F.L", "--ranking")
    assert text.startswith("R.F.L of run small-1\n2 rankings by kl;")
    rows = {line.split()[0]: line for line in text.splitlines() if line.startswith("  layer")}
    assert "⊘" in rows["layer1.0"] and "⊘" not in rows["layer1.1"]
    assert rows["layer2.2"].rstrip().endswith("░▬ became low"), (
        "it became the least important, and went"
    )
    assert "became" not in rows["layer1.0"]
    assert "no ranking" in run("diagram", grown_without(store), "R", "--ranking")


def grown_without(store) -> Path:
    """A tree whose root was never ranked."""
    path = store.with_name("other.pex.db")
    with TreeStore.open(path, create=True) as tree:
        tree.create_run(
            name="bare-1", seed=1, architecture={"factory": "cifar_resnet",
            "arguments": ARGUMENTS, "edits": []}, data={"name": "sample", "digest": "d"},
            settings={}, environment=ENVIRONMENT, root_snapshot=tensors(ROOT), root_metrics={},
        )  # fmt: skip
    return path


def test_a_difference_names_blocks_and_units_of_either_side(store):
    text = run("diff", store, "R.L", "R.F")
    assert "only B has 1 block\n  layer1.1" in text
    assert "layer2.1.conv1" in text and "A 8 B 7 of 8 filters" in text
    assert "B has +100 (+12.5% of A)" in text
    assert "have the same blocks and units" in run("diff", store, "R", "R")


def test_json_has_the_units_by_the_numbers_of_the_root(store):
    found = json.loads(run("diff", store, "R.L", "R.F", "--json"))
    assert (found["blocks_only_a"], found["blocks_only_b"]) == ([], ["layer1.1"])
    (group,) = found["groups"]
    assert (group["path"], group["only_a"], group["only_b"]) == ("layer2.1.conv1", [7], [])
    assert found["macs_difference"] == 100


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("diagram", ("diagram", "R.F.L")),
        ("diagram-ranking", ("diagram", "R.F.L", "--ranking")),
        ("diff", ("diff", "R.L", "R.F.L")),
    ],
)
def test_what_is_printed_as_json_stays_as_it_is(store, name, arguments):
    printed = run(arguments[0], store, *arguments[1:], "--json")
    accepted = GOLDEN / f"{name}.json"
    if os.environ.get("PE_UPDATE_GOLDEN"):
        accepted.write_text(printed)
    assert printed == accepted.read_text()


def test_mistakes_are_told_with_what_to_do(store, tmp_path):
    assert "did you mean R.L or R.F?" in run("diagram", store, "R.X", code=1)
    assert "has no run '9'" in run("diff", store, "R", "R.L", "--run", 9, code=2)
    grow(tmp_path / "tiny.pex.db")
    told = run("diagram", tmp_path / "tiny.pex.db", "R", code=2)
    assert "is not stored" in told and "--new-run" in told


def test_a_terminal_without_unicode_gets_marks_that_differ(store):
    done = subprocess.run(
        [sys.executable, "-m", "explorer.cli", "diagram", str(store), "R.F.L"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    text = done.stdout.decode("ascii")
    assert "\\u" not in text and re.search(r"layer1\.1 +3/4 +@+:+", text)
    assert re.search(r"= layer2\.2 +gone +-+", text)
