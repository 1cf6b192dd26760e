"""`figure` and `published` as a user runs them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from json_shapes import problems
from rich_store import grow
from typer.testing import CliRunner

from explorer.cli.json_types import FigureDrawn, PublishedFile, PublishedFiles, PublishedListed
from explorer.cli.main import app
from explorer.views.published.files import SHIPPED
from explorer.views.safe_text import is_harmful

SVG = "{http://www.w3.org/2000/svg}"
MINE = """[[result]]
network = "resnet56"
dataset = "cifar10"
method = "mine"
year = 2026
structures = "both"
delta_accuracy = 0.5
macs_reduction = 50
kind = "primary"
source = "my notes"
"""


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("PE_EXPLORE_PUBLISHED", str(tmp_path / "own"))


@pytest.fixture
def store(tmp_path) -> Path:
    grow(tmp_path / "tree.pex.db")
    return tmp_path / "tree.pex.db"


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result


def texts(path: Path) -> list[str]:
    return [found.text or "" for found in ElementTree.parse(path).iter(f"{SVG}text")]


# ------------------------------------------------------------ figure


def test_the_pareto_plot_is_a_picture_with_its_axes_points_and_names(store, tmp_path):
    out = tmp_path / "plot.svg"
    assert run("figure", store, "pareto", out).stdout.startswith(f"wrote {out}")
    told = texts(out)
    assert {"MACs removed (%)", "Validation accuracy (%)", "R", "R.L", "R.F"} <= set(told)
    assert "kept (2)" in told and "best" in told


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        ("params", "test-change", "Change of test accuracy (points)"),
        ("epochs", "val-change", "Epochs of training since the root"),
        ("depth", "similarity", "Similarity to the parent (CKA)"),
        ("latency", "test", "Latency over the root's (×)"),
    ],
)
def test_every_axis_can_be_chosen(store, tmp_path, x, y, words):
    out = tmp_path / "plot.svg"
    run("figure", store, "pareto", out, "--x", x, "--y", y)
    assert words in texts(out)


def test_the_tree_is_a_picture_of_every_node(store, tmp_path):
    out = tmp_path / "tree.svg"
    printed = run("figure", store, "tree", out, "--json").stdout
    assert problems(FigureDrawn, json.loads(printed)) == []
    assert json.loads(printed)["nodes"] == 5
    told = texts(out)
    assert {"R", "L", "F", "CKA 0.9750", "val 92.2%", "MACs −20.0%"} <= set(told)


def test_what_it_cannot_do_is_told_with_what_it_can(store, tmp_path):
    for arguments, words in (
        (("plot", "a.svg"), "known are pareto, tree"),
        (("pareto", "a.png"), "ends in .svg"),
        (("pareto", "a.svg", "--x", "mac"), "did you mean 'macs'"),
        (("pareto", "a.svg", "--published", "every"), "none, primary or all"),
    ):
        told = run("figure", store, *arguments, code=2).stderr
        assert words in told and len(told.splitlines()) == 1
    assert "cannot write" in run("figure", store, "tree", tmp_path / "no" / "a.svg", code=1).stderr


def test_names_of_others_can_do_nothing_in_a_picture(tmp_path):
    from tampering import tamper

    golden = Path(__file__).parents[1] / "store" / "golden" / "growing-6.db"
    path = tmp_path / "it.pex.db"
    shutil.copy(golden, path)
    tamper(path, "UPDATE run SET name = '</title><script>alert(1)</script>\x1b[31m'")
    for what in ("pareto", "tree"):
        out = tmp_path / f"{what}.svg"
        run("figure", path, what, out)
        drawn = out.read_text()
        assert "<script" not in drawn and not any(map(is_harmful, drawn.replace("\n", "")))
        ElementTree.parse(out)


# ------------------------------------------------------------ published


def test_results_are_listed_by_network_data_kind_and_method():
    meant = ("--network", "resnet56", "--dataset", "CIFAR-10", "--kind", "primary")
    found = json.loads(run("published", *meant, "--method", "everything", "--json").stdout)
    assert problems(PublishedListed, found) == []
    assert found["results"] and all("Everything" in row["method"] for row in found["results"])
    shown = run("published", "--network", "resnet20")
    assert "Distiller" in shown.stdout and "5 results of 340" in shown.stderr
    assert "there are some of resnet56" in run("published", "--network", "vgg").stderr
    assert "did you mean 'rerun'" in run("published", "--kind", "reruns", code=2).stderr


def test_a_file_of_ones_own_is_added_listed_and_removed(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    added = json.loads(run("published", "add", path, "--json").stdout)
    assert problems(PublishedFile, added) == [] and added["num_results"] == 1
    assert "my notes" in run("published", "--method", "mine").stdout
    listed = json.loads(run("published", "files", "--json").stdout)
    assert problems(PublishedFiles, listed) == []
    assert listed["files"] == [added]
    assert "removed" in run("published", "remove", "mine").stdout
    assert "you have added no files" in run("published", "files").stderr


def test_a_bad_file_is_refused_in_one_line_and_nothing_is_taken(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE.replace("primary", "primry"))
    told = run("published", "add", path, code=2).stderr
    assert "result 1 (mine): kind = 'primry'" in told and len(told.splitlines()) == 1
    assert "you have added no files" in run("published", "files").stderr
    assert "is not there" in run("published", "add", tmp_path / "none.toml", code=1).stderr


def test_the_shipped_file_itself_can_be_added_and_nothing_comes_twice():
    run("published", "add", SHIPPED)
    assert "340 results of 340" in run("published").stderr


def test_the_plot_is_drawn_as_text_where_no_file_is_named(store):
    done = CliRunner().invoke(app, ["figure", str(store), "pareto"])
    assert done.exit_code == 0, done.output
    assert "★ best" in done.output and done.output.count("★") == 2, "in the legend and the plot"
    assert "MACs removed (%)" in done.output
    assert not any(is_harmful(each) for line in done.output.splitlines() for each in line)
    refused = CliRunner().invoke(app, ["figure", str(store), "tree"])
    assert refused.exit_code == 2 and "give the picture's name" in refused.output
