"""What views say of stored nodes, odd ones too."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_replay import new_run

from engine.contracts.edits import Edit
from engine.contracts.metrics import MEASURES, measure
from engine.contracts.near import did_you_mean
from explorer.session.policy import Margin
from explorer.views.measured_text import figures_text, interval_text, labelled
from explorer.views.node_diff import figure_rows, word_rows
from explorer.views.node_view import DecisionView, NodeView
from explorer.views.proposed_scores import newest_scores
from explorer.views.removed import removed, removed_briefly
from explorer.views.stored_nodes import node_details, node_views
from store import TreeStore


@pytest.fixture
def store(tmp_path: Path):
    with TreeStore.open(tmp_path / "v.pex.db", create=True) as store:
        new_run(store)
        yield store


def node(name: str = "R.L", **metrics: float) -> NodeView:
    return NodeView(name, "R", "layer", "ready", metrics=metrics)


@pytest.mark.parametrize(
    ("edit", "words", "shortest"),
    [
        (Edit("layer", ("layer1.1",)), "layer1.1", "layer1.1"),
        (Edit("layer", ("a", "b")), "a, b", "2 blocks"),
        (Edit("filter", (), (("c", (1,)),)), "1 filter of 1 convolution", "1f/1 conv"),
        (
            Edit("filter", (), (("c", (1, 2)), ("d", (3,)))),
            "3 filters of 2 convolutions",
            "3f/2 convs",
        ),
    ],
)
def test_what_an_edit_removes_is_said_in_full_and_briefly(edit, words, shortest):
    assert removed(edit) == words and removed_briefly(edit)[-1] == shortest


def test_an_edit_of_another_version_does_not_keep_the_tree_from_being_shown(store):
    edits = [{"structure": "head", "heads": [3]}, {"structure": "filter", "groups": {}}]
    store.add_candidates(store.node(1, "R").id, proposal={}, edits=edits)
    _, head, filters = node_views(store, 1)
    assert head.structure == "head" and "0 heads" in (head.removes or "")
    assert filters.structure == "filter"
    assert node_details(store, 1, "R.H").edit == Edit("head")


@pytest.mark.parametrize(
    ("content", "criterion"),
    [
        ({"criterion": "l1", "scores": {"blocks": {"a": 1}, "filters": {"c": [0.5]}}}, "l1"),
        ({"scores": {"blocks": {"a": 1}, "filters": {"c": [0.5]}}}, None),
    ],
)
def test_the_scores_of_the_newest_proposal_are_read(store, content, criterion):
    root = store.node(1, "R")
    assert newest_scores(store, root.id) is None
    store.add_candidates(root.id, proposal=content, edits=[{"structure": "layer", "blocks": ["a"]}])
    found = newest_scores(store, root.id)
    assert found is not None and found.criterion == criterion
    assert found.scores.blocks == {"a": 1.0} and found.scores.units == {"c": (0.5,)}


def test_a_proposal_without_scores_has_none(store):
    root = store.node(1, "R")
    edit = {"structure": "layer", "blocks": ["a"]}
    for content in ({}, {"scores": {"blocks": "?", "filters": {}}}):
        store.add_candidates(root.id, proposal=content, edits=[edit])
        assert newest_scores(store, root.id) is None


def test_measures_have_names_of_their_own_wherever_they_are_shown():
    for name in ("key", "title", "name", "heading"):
        values = [getattr(each, name) for each in MEASURES]
        assert len(set(values)) == len(values) and all(values)
    words = [each.word for each in MEASURES if each.word]
    assert len(set(words)) == len(words)
    assert measure("of_tomorrow").text(0.12345) == "0.1235" == measure("of_tomorrow").text(0.12351)


def test_figures_in_words():
    some = node(similarity=0.98, val_accuracy=93.4)
    keys = ("similarity", "test_accuracy", "val_accuracy")
    assert figures_text(some, keys) == "CKA 0.9800  val % 93.40"
    assert (
        labelled("val_accuracy", 93.4) == "val acc 93.40 %"
        and labelled("macs", 1e4) == "MACs 10,000"
    )
    assert labelled("test_accuracy", None) == "test acc –"
    assert interval_text(0.1, -0.2, 0.3) == "+0.1000 [-0.2000, +0.3000]"
    assert interval_text(0.1, None, None) == "+0.1000"


def test_rows_of_a_comparison_say_which_way_is_better():
    first = node(val_accuracy=90.0, macs=1000.0, latency_ms=3.0)
    second = node("R.F", val_accuracy=91.0, macs=1200.0, latency_ms=2.0)
    rows = {row.measure.key: row.figures for row in figure_rows([first, second, node("R.L2")])}
    assert set(rows) == {"val_accuracy", "macs", "latency_ms", "seconds"}
    assert rows["val_accuracy"][1].better is True and rows["macs"][1].better is False
    assert rows["latency_ms"][1].better is None, "two moments of a machine"
    assert rows["macs"][1].difference == 200 and rows["macs"][1].text == "1,200"
    assert rows["macs"][0].difference is None and rows["macs"][2].text is None
    equal = figure_rows([first, node(val_accuracy=90.001)])
    assert next(r for r in equal if r.measure.key == "val_accuracy").figures[1].better is None


def test_rows_of_words_are_those_of_which_there_is_something_to_say():
    decided = DecisionView(("R.L",), "closer", Margin(0.01, None, None, None))
    root = NodeView("R", None, "root", "ready", True, decision=decided)
    rows = {row.title: row.words for row in word_rows([root, node()])}
    assert rows["kept"] == ("yes", None) and rows["reason"] == ("closer", None)
    assert rows["margin"] == ("+0.0100", None) and "note" not in rows


def test_the_nearest_word_is_offered():
    assert did_you_mean("layer", ("layers", "filters")) == "did you mean 'layers'? "
    assert did_you_mean("zzz", ("layers", "filters")) == ""
