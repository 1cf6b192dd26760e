"""Policies: what every one of them keeps to, and what each of them decides."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.contracts import setting_sections as contracts
from engine.contracts.edits import FILTER, LAYER, UNIT
from engine.contracts.settings import Settings, with_values
from explorer.session.deciding import margin_between, suggest, to_recover
from explorer.session.policy import POLICIES, Choice, Question
from store import Node

STRUCTURES = (LAYER, FILTER, "head", "expert")
ROOT = Node(1, 1, None, "R", "root", 0, None, "ready", None, True, None, {}, ("root",), 0.0, "")
offers = st.dictionaries(
    st.sampled_from(STRUCTURES), st.none() | st.floats(0, 1), min_size=1, max_size=4
)
every_policy = pytest.mark.parametrize("name", POLICIES)


def settings_of(policy: str, **others) -> Settings:
    return with_values(Settings(), {"policy": policy, **others})


def candidate(number: int, structure: str, similarity: float | None = None) -> Node:
    """A candidate of the root; ready where its similarity is given."""
    ready = similarity is not None
    return replace(
        ROOT, id=number, parent_id=1, name=f"R.{structure[0].upper()}{number}", depth=1,
        structure=structure, state="ready" if ready else "queued", kept=None,
        metrics={"similarity": similarity} if ready else {},
        phases=("recovered",) if ready else (),
    )  # fmt: skip


def suggested(policy: str, candidates: list[Node], offered: list[Node] | None = None, **others):
    ready = [node for node in candidates if node.state == "ready"]
    settings = settings_of(policy, **others)
    return suggest(ROOT, ready, offered or candidates, settings, lambda node: ())


def test_the_setting_offers_the_policies_that_there_are():
    assert tuple(POLICIES) == contracts.POLICIES


# ------------------------------------------------------------ what every policy keeps to


@every_policy
@given(offers, st.integers(0, 99))
def test_it_keeps_something_of_what_is_offered_and_says_why(name, similarities, seed):
    choice = POLICIES[name].choose(Question("R", similarities, settings_of(name, seed=seed)))
    assert choice.kept and set(choice.kept) <= set(similarities)
    assert len(set(choice.kept)) == len(choice.kept) and choice.reason


@every_policy
@given(offers, st.integers(0, 99))
def test_the_same_question_gets_the_same_answer(name, similarities, seed):
    question = Question("R.L", similarities, settings_of(name, seed=seed))
    again = Question("R.L", dict(similarities), settings_of(name, seed=seed))
    assert POLICIES[name].choose(question) == POLICIES[name].choose(again)
    assert POLICIES[name].wanted(question) == POLICIES[name].wanted(again)


@every_policy
@given(st.sets(st.sampled_from(STRUCTURES), min_size=1))
def test_what_it_wants_measured_is_offered_and_is_all_that_it_needs(name, structures):
    offered = dict.fromkeys(sorted(structures))
    policy, settings = POLICIES[name], settings_of(name)
    wanted = policy.wanted(Question("R", offered, settings))
    assert set(wanted) <= set(offered) and len(set(wanted)) == len(wanted)
    assume(wanted)
    # With just those measured, it keeps what was measured: a run does not stand still.
    measured = offered | dict.fromkeys(wanted, 0.5)
    assert set(policy.choose(Question("R", measured, settings)).kept) <= set(wanted)


@every_policy
@pytest.mark.parametrize("structure", STRUCTURES)
def test_one_structure_alone_is_kept(name, structure):
    only = candidate(2, structure, 0.9)
    suggestion = suggested(name, [only])
    assert suggestion.kept == (only,) and suggestion.margin is None and suggestion.reason


@every_policy
def test_it_ends_a_tree_where_nothing_is_offered_that_it_removes(name):
    assert to_recover(ROOT, [], settings_of(name)) == []
    left = [candidate(2, "head")]
    assert to_recover(ROOT, left, settings_of(name)) == ([] if name == "layers" else left)


@every_policy
@given(st.lists(st.floats(0, 1), min_size=3, max_size=6), st.sampled_from([LAYER, FILTER]))
def test_of_many_candidates_of_one_structure_the_most_similar_one_stands_for_it(
    name, similarities, structure
):
    other = candidate(99, FILTER if structure == LAYER else LAYER, 0.5)
    many = [candidate(i + 2, structure, value) for i, value in enumerate(similarities)]
    suggestion = suggested(name, [*many, other])
    best = max(many, key=lambda node: node.metrics["similarity"])
    assert suggestion.node in (best, other)
    margin = suggestion.margin
    assert margin is not None
    layer, filters = (best, other) if structure == LAYER else (other, best)
    assert margin.value == layer.metrics["similarity"] - filters.metrics["similarity"]


@every_policy
@given(st.lists(st.booleans(), min_size=2, max_size=4))
def test_what_was_not_grown_is_never_suggested(name, grown):
    assume(any(grown))
    candidates = [
        candidate(i + 2, STRUCTURES[i], 0.5 if is_grown else None)
        for i, is_grown in enumerate(grown)
    ]
    suggestion = suggested(name, candidates)
    assert suggestion.kept and all(node.state == "ready" for node in suggestion.kept)


@every_policy
def test_it_asks_for_the_first_candidate_of_each_structure_that_it_wants(name):
    usual, asked_for = candidate(2, LAYER), candidate(4, LAYER)
    filters = candidate(3, FILTER)
    chosen = to_recover(ROOT, [usual, filters, asked_for], settings_of(name))
    assert chosen and asked_for not in chosen


# ------------------------------------------------------------ what each of them decides


def answer(policy: str, similarities: dict[str, float | None], parent="R", **others) -> Choice:
    question = Question(parent, similarities, settings_of(policy, **others))
    return POLICIES[policy].choose(question)


@pytest.mark.parametrize(
    ("similarities", "bonus", "kept", "reason"),
    [
        ({LAYER: 0.9, FILTER: 0.8}, 0.0, LAYER, "CKA 0.9000 ≥ 0.8000"),
        ({FILTER: 0.9, LAYER: 0.8}, 0.0, FILTER, "CKA 0.8000 < 0.9000"),
        ({FILTER: 0.9, LAYER: 0.9}, 0.0, LAYER, "CKA 0.9000 ≥ 0.9000"),
        ({LAYER: 0.8, FILTER: 0.85}, 0.05, LAYER, "CKA 0.8000 + 0.05 ≥ 0.8500"),
        ({LAYER: 0.8, FILTER: 0.75}, -0.1, FILTER, "CKA 0.8000 + -0.1 < 0.7500"),
        ({LAYER: None, FILTER: 0.1}, 0.0, FILTER, "no layer candidate was grown"),
        ({LAYER: 0.1, FILTER: None}, 0.0, LAYER, "no filter candidate was grown"),
        ({FILTER: 0.1}, 0.0, FILTER, "only filters are left"),
        ({LAYER: 0.8, FILTER: 0.7, "head": 0.9}, 0.0, "head", "CKA 0.8000 < 0.9000"),
        ({LAYER: 0.9, FILTER: 0.7, "head": 0.8}, 0.0, LAYER, "CKA 0.9000 ≥ 0.7000, 0.8000"),
    ],
)
def test_cka_keeps_the_more_similar_one_and_a_tie_goes_to_the_layer(
    similarities, bonus, kept, reason
):
    assert answer("cka", similarities, layer_bonus=bonus) == Choice((kept,), reason)


def test_a_coin_is_fair_and_goes_by_seed_and_parent():
    offered = {LAYER: None, FILTER: None}
    parents = [f"R{'.L' * depth}" for depth in range(60)]
    thrown = [answer("random", offered, parent).kept for parent in parents]
    assert 15 < thrown.count((LAYER,)) < 45
    assert thrown != [answer("random", offered, parent, seed=1).kept for parent in parents]
    first = "layer filter layer layer layer layer filter filter"  # what it always was
    assert [kept[0] for kept in thrown[:8]] == first.split()


def test_layers_come_first_and_single_minded_policies_take_nothing_else():
    both, left = {LAYER: 0.1, FILTER: 0.9}, {FILTER: 0.9}
    assert answer("layers-first", both) == Choice((LAYER,), "layers come first")
    assert answer("layers-first", left) == Choice((FILTER,), "no layer left")
    assert answer("layers", both) == Choice((LAYER,), "only layers")
    assert answer("filters", both) == Choice((FILTER,), "only filters")
    of_a_transformer = {LAYER: 0.1, UNIT: 0.9}
    assert answer("filters", of_a_transformer) == Choice((UNIT,), "only units")
    assert POLICIES["layers"].wanted(Question("R", left, Settings())) == ()


# ------------------------------------------------------------ margins


def test_a_margin_is_between_the_two_that_contend_the_layer_s_first():
    nodes = [candidate(2, "head", 0.2), candidate(3, FILTER, 0.9), candidate(4, LAYER, 0.8)]
    told = {3: (0.9, 0.7, 0.8), 4: (0.7, 0.8, 0.9)}
    margin = margin_between(nodes, Settings(), lambda node: told[node.id])
    assert margin is not None and math.isclose(margin.value, -0.1)
    assert margin.low is not None and margin.high is not None
    assert margin.low < 0 < margin.high and margin.too_close
    biased = with_values(Settings(), {"layer_bonus": 0.5})
    margin = margin_between(nodes, biased, lambda node: told[node.id])
    assert margin is not None and margin.too_close is False  # it turns at −0.5
    assert margin_between(nodes[:1], Settings(), lambda node: ()) is None
