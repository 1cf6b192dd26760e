"""The tree model: growing, folding, filtering, walking."""

from __future__ import annotations

from dataclasses import replace

import pytest
from trees import chain, node, small_tree

from explorer.views.node_view import NodeView
from explorer.views.tree.filter import parse_filter
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode


def names(model, numbers):
    return [model.nodes[number].name for number in numbers]


def test_a_node_in_brief_is_the_node_at_length():
    metrics = {"similarity": 0.99, "val_accuracy": 93.1, "macs_reduction": 12.5, "macs": 7}
    made = TreeNode.of(NodeView("R.L", "R", "layer", "ready", metrics=metrics, seconds=1.5))
    assert made == TreeNode("R.L", "R", "layer", "ready", None, 0.99, 93.1, 12.5)


def test_layers_stand_left_of_filters_in_whatever_order_they_came():
    model = TreeModel(
        [node("R"), node("R.L"), node("R.H"), node("R.L2"), node("R.F"), node("R.F2")]
    )
    assert names(model, model.children[0]) == ["R.L", "R.L2", "R.H", "R.F", "R.F2"]


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("R.F")], "before its parent 'R'"),
        ([node("R"), node("Q")], "second root"),
        ([node("R"), node("R.F"), node("R.F")], "twice"),
    ],
)
def test_what_is_no_tree_is_refused(nodes, words):
    with pytest.raises(ValueError, match=words):
        TreeModel(nodes)


def test_growing_node_by_node_gives_the_same_as_all_at_once():
    grown, made = TreeModel(), TreeModel(small_tree())
    for each in small_tree():
        grown.put(each)
    assert (grown.children, grown.num_below, grown.folded) == (
        made.children, made.num_below, made.folded,
    )  # fmt: skip


def test_a_change_that_moves_nothing_leaves_the_shape():
    model = TreeModel(small_tree())
    before = model.shape
    model.put(replace(model.nodes[model.number("R.L.F.L")], running_share=0.9))
    assert model.shape == before
    model.put(replace(model.nodes[model.number("R.L.L2")], state="ready", kept=False))
    assert model.shape > before, "what was rejected may be drawn smaller"
    with pytest.raises(ValueError, match="cannot move"):
        model.put(replace(model.nodes[1], parent="R.L"))


def test_rejected_subtrees_fold_by_themselves_until_somebody_works_below_them():
    model = TreeModel(small_tree())
    rejected = model.number("R.F")
    assert model.folded == {rejected}
    model.put(node("R.F.F.L", state="queued"))
    assert model.folded == set()
    model.put(node("R.F.F.L", kept=False))
    assert model.folded == {rejected, model.number("R.F.F")}


def test_a_fold_that_the_person_chose_stays():
    model = TreeModel(small_tree())
    rejected, kept = model.number("R.F"), model.number("R.L")
    assert model.toggle_fold(rejected) is False
    assert model.toggle_fold(kept) is True
    model.put(node("R.L.F.F.F", kept=True))
    assert model.folded == {kept}
    assert model.first_child(kept) is None
    model.reveal(model.number("R.L.F"))
    assert model.first_child(kept) == model.number("R.L.L") and kept not in model.folded
    assert model.toggle_fold(model.number("R.L.L")) is False  # a leaf has nothing to fold


def test_walking():
    model = TreeModel(small_tree())
    n = model.number
    assert model.parent(0) is None
    assert model.parent(n("R.L.L")) == n("R.L")
    assert model.first_child(n("R.L")) == n("R.L.L")
    assert model.first_child(n("R.F")) is None, "it is folded"
    assert names(model, model.kept_path()) == ["R", "R.L", "R.L.F"]
    assert names(model, model.lineage(n("R.L.F.F"), 3)) == ["R.L", "R.L.F", "R.L.F.F"]


def test_matches_are_walked_round_about_and_kept_up_to_date():
    model = TreeModel(small_tree())
    model.set_filter("acc>=92.5 kept")
    assert names(model, sorted(model.matches)) == ["R", "R.L", "R.L.F"]
    walk = [model.next_match(number) for number in (0, 1, model.number("R.L.F"))]
    assert names(model, walk) == ["R.L", "R.L", "R"]
    assert model.next_match(0, -1) == model.number("R.L.F")
    model.put(replace(model.nodes[0], val_accuracy=90.0))
    assert 0 not in model.matches
    model.set_filter("")
    assert model.matches is None and model.next_match(0) is None


def test_a_deep_chain_is_walked_and_counted():
    model = TreeModel(chain(20_000))
    assert model.num_below[0] == 19_999
    assert len(model.kept_path()) >= 10_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acc>93", "R R.L.F R.L.F.F"),
        ("acc > 93 macs>14.9", "R.L.F R.L.F.F"),
        ("reduction>=15 cka<.96", "R.L.L"),
        ("cka>=0.9 cka<=0.96 structure=filter", "R.F R.F.F"),
        ("structure=layer !rejected", "R.L R.L.L2 R.L.F.L"),
        ("state=running", "R.L.F.L"),
        ("failed", "R.F.L"),
        ("state!=ready undecided", "R.L.L2 R.L.F.L"),
        ("kept", "R R.L R.L.F"),
        ("kept=no depth==1", "R.F"),
        ("tagged", "R.L.F"),
        ("name~r.l.l", "R.L.L R.L.L2"),
        ('name="R.L" kept', "R.L"),
        ("name!~. ", "R"),
        ("acc!=93.2 kept", "R.L R.L.F"),
    ],
)
def test_filter(text, expected):
    test = parse_filter(text)
    assert " ".join(each.name for each in small_tree() if test(each)) == expected


def test_an_empty_filter_is_none():
    assert parse_filter("  ") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ac>93", r"unknown field 'ac', did you mean 'acc'\?; known: acc, cka"),
        ("foo", "name~foo finds names"),
        ("acc", "acc needs a comparison"),
        ("acc>good", "acc is compared with a number, not 'good'"),
        ("acc~9", "acc is a number"),
        ("state=redy", r"never 'redy', did you mean 'ready'\?; known: queued"),
        ("state>ready", "compared with = or !="),
        ("structure", "structure needs a value"),
        ("kept=maybe", "kept is yes or no"),
        ("name", "name needs a comparison"),
        ("acc>93 >", "cannot read '>'"),
        ("acc>", "cannot read 'acc>'"),
        ('name~"x', "cannot read"),
    ],
)
def test_a_filter_that_cannot_be_read_names_what_is_wrong(text, words):
    model = TreeModel(small_tree())
    model.set_filter("kept")
    with pytest.raises(ValueError, match=words):
        model.set_filter(text)
    assert model.filter_text == "kept" and len(model.matches) == 3
