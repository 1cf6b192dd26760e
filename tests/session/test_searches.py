"""Beam, best-first and lookahead, with the real engine and the real store."""

from __future__ import annotations

import asyncio
import itertools
import math

import pytest
from small import request_of, write_data, write_network

from engine.contracts.errors import UsageError
from engine.contracts.methods import SEARCHES as KNOWN
from explorer.cli.commands.auto_background import auto_background
from explorer.executors.in_process import InProcessExecutor
from explorer.session.events import ignore
from explorer.session.open_run import open_session
from explorer.session.search import SEARCHES, grow_tree
from explorer.session.steering import Steering
from store import TreeStore


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches")
    return write_network(folder), write_data(folder)


LOOKS = ("open root", "data R", "data root", "open R")  # at what is there


class Counting(InProcessExecutor):
    """Remembers what it was asked for."""

    def __init__(self, spool):
        super().__init__(spool)
        self.labels = []

    async def run(self, request, on_event):
        self.labels.append(request.label)
        return await super().run(request, on_event)


def grown(files, store, *, before=lambda session: None, **overrides):
    """(outcome, what was asked of the engine, the nodes by name)."""

    async def work():
        session = await open_session(request_of(files, store, **overrides), Counting, ignore)
        try:
            before(session)
            outcome = await grow_tree(session)
            nodes = {node.name: node for node in session.store.nodes(session.run.id)}
            return outcome, [each for each in session.executor.labels if each not in LOOKS], nodes
        finally:
            await session.close()

    return asyncio.run(work())


def product(nodes, name):
    """Of the similarities on a path, by its name."""
    parts = name.split(".")
    path = [".".join(parts[: i + 1]) for i in range(1, len(parts))]
    return math.prod(nodes[each].metrics["similarity"] for each in path)


def kept_at(nodes, depth):
    return {n.name for n in nodes.values() if n.kept and n.depth == depth}


def test_every_search_that_is_told_of_is_there():
    assert tuple(SEARCHES) == tuple(KNOWN)


def test_a_beam_keeps_the_most_similar_paths_whoever_their_parents_are(files, tmp_path):
    outcome, _, nodes = grown(files, tmp_path / "it.pex.db", search="beam", beam_width=2)
    assert kept_at(nodes, 1) == {"R.L", "R.F"}
    second = [name for name, node in nodes.items() if node.depth == 2]
    assert len(second) == 4
    best = sorted(second, key=lambda name: -product(nodes, name))[:2]
    assert kept_at(nodes, 2) == set(best)
    assert outcome.tip.name == best[0] and outcome.stopped == "iterations: 2 done"
    assert all("tuned" in nodes[name].phases for name in best)


def test_a_beam_of_one_is_the_paper_s_search_and_shares_its_nodes(files, tmp_path):
    store = tmp_path / "it.pex.db"
    greedy, _, before = grown(files, store)
    beam, asked, after = grown(files, store, search="beam", beam_width=1)
    assert (asked, beam.tip.name) == ([], greedy.tip.name)
    assert {n.name: n.phases for n in before.values()} == {n.name: n.phases for n in after.values()}
    _, asked, nodes = grown(files, store, search="beam", beam_width=2)
    assert asked and not any(f"recover {name}" in asked for name in before)
    assert kept_at(nodes, 1) == {"R.L", "R.F"}


@pytest.mark.slow
def test_a_search_that_is_done_does_nothing_again_and_decides_nothing_again(files, tmp_path):
    for search in ("beam", "best-first", "lookahead"):
        store = tmp_path / f"{search}.pex.db"
        first, _, nodes = grown(files, store, search=search)
        again, asked, same = grown(files, store, search=search)
        assert (asked, again) == ([], first)
        assert nodes == same
        with TreeStore.open(store, read_only=True) as opened:
            decisions = opened.decisions(opened.latest_run().id)
            twice = [(d.parent_id, sorted(d.kept)) for d in decisions]
            assert len(set(map(repr, twice))) == len(twice)


@pytest.mark.slow
def test_best_first_goes_on_where_a_saved_operation_cost_least(files, tmp_path):
    outcome, _, nodes = grown(files, tmp_path / "it.pex.db", search="best-first", iterations=3)

    def price(name):
        gone = 1 - nodes[name].metrics["macs"] / nodes["R"].metrics["macs"]
        return -math.log(product(nodes, name)) / gone

    waiting, tuned = {"R"}, []
    while True:  # the walk again, from the measured figures alone
        name = min(waiting, key=lambda each: (0 if each == "R" else price(each), nodes[each].id))
        waiting.remove(name)
        tuned.append(name)
        if nodes[name].depth == 3:
            break
        waiting |= {f"{name}.{side}" for side in "LF" if f"{name}.{side}" in nodes}
    assert outcome.tip.name == tuned[-1]
    assert {n.name for n in nodes.values() if "tuned" in n.phases} == set(tuned) - {"R"}


@pytest.mark.slow
def test_lookahead_keeps_what_leads_to_the_most_similar_path_of_two_steps(files, tmp_path):
    _, asked, nodes = grown(files, tmp_path / "it.pex.db", search="lookahead", iterations=2)
    two = {name: product(nodes, name) for name, node in nodes.items() if node.depth == 2}
    assert len(two) == 4
    assert kept_at(nodes, 1) == {max(two, key=lambda name: two[name]).rpartition(".")[0]}
    assert sum(label.startswith("propose") for label in asked) >= 3


@pytest.mark.slow
def test_epochs_are_counted_and_end_the_tree(files, tmp_path):
    outcome, _, nodes = grown(
        files, tmp_path / "it.pex.db", search="beam", iterations=9, max_epochs=6
    )
    assert outcome.stopped == "max-epochs: 10 were trained"
    # R's two candidates for an epoch each, both tuned for another one, and a step of their four.
    phases = list(itertools.chain.from_iterable(node.phases for node in nodes.values()))
    assert phases.count("recovered") + phases.count("tuned") == 10


@pytest.mark.slow
@pytest.mark.parametrize("search", ["beam", "best-first", "lookahead"])
def test_what_a_person_decided_stays_decided(files, tmp_path, search):
    store = tmp_path / "it.pex.db"
    _, _, nodes = grown(files, store, iterations=1)
    rejected = next(n.name for n in nodes.values() if n.depth == 1 and not n.kept)

    def overrule(session):
        Steering(session).session.keep(
            session.node("R"), [session.node(rejected)], None, "user", "I know better"
        )

    _, _, nodes = grown(files, store, before=overrule, search=search, beam_width=2)
    assert kept_at(nodes, 1) == {rejected}
    assert all(name.startswith(rejected) for name in kept_at(nodes, 2))


def test_the_background_refuses_what_it_would_not_do(files, tmp_path):
    request = request_of(files, tmp_path / "it.pex.db", search="beam")
    with pytest.raises(UsageError, match="the run's search is beam: leave --background out"):
        auto_background(request, as_json=True, yes=True)
