"""Tags, notes, drops, and decisions taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from store_helpers import add, decide, finish, root_of

from store import (
    Annotation,
    IllegalStateError,
    InvalidValueError,
    TreeStore,
)


@pytest.fixture
def store(tmp_path: Path):
    with TreeStore.open(tmp_path / "a.pex.db", create=True) as opened:
        for node in add(opened, root_of(opened)):
            finish(opened, node)
        yield opened


def test_what_is_said_of_a_node_is_there_after_reopening_and_can_be_unsaid(store) -> None:
    run = store.latest_run()
    node = store.nodes(run.id)[1]
    note = "x'; DROP TABLE node -- [/foo]"
    assert store.tag(node.id, "good") and store.tag(node.id, "small")
    assert store.note(node.id, note) and store.drop(node.id)
    path = store.path
    store.close()
    with TreeStore.open(path) as again:
        said = {node.id: Annotation(("good", "small"), note, True)}
        assert again.annotations(run.id) == said
        assert again.tag(node.id, "good") is None  # said already: the log does not grow
        again.tag(node.id, "good", on=False)
        again.tag(node.id, "small", on=False)
        again.note(node.id, "")
        again.drop(node.id, on=False)
        assert again.annotations(run.id) == {}


def test_what_cannot_be_said_is_refused(store) -> None:
    root = store.nodes(store.latest_run().id)[0]
    with pytest.raises(InvalidValueError, match="the root cannot be dropped"):
        store.drop(root.id)
    for tag in ("", "x" * 101):
        with pytest.raises(InvalidValueError, match="the tag"):
            store.tag(root.id, tag)


def test_an_undecided_parent_has_undecided_candidates_until_it_is_decided_again(store) -> None:
    run = store.latest_run()
    root, *children = store.nodes(run.id)
    ready = [child for child in children if child.state == "ready"]
    first = decide(store, root, ready[0])
    made = store.undecide(root.id, actor="user", reason="undid it")
    assert made.supersedes == first.id and made.candidates == () and made.kept == ()
    assert {child.kept for child in store.children(root.id)} == {None}
    with pytest.raises(IllegalStateError, match="nothing is decided"):
        store.undecide(root.id, actor="user", reason="again")
    decide(store, root, ready[0])
    assert store.node_by_id(ready[0].id).kept is True


def test_what_phases_measured_is_that_of_each_node(store) -> None:
    run = store.latest_run()
    nodes, seconds, metrics = store.nodes_by_phase(run.id)
    assert nodes == store.nodes(run.id)
    for node in nodes:
        assert set(seconds[node.id]) == set(node.phases)
        for phase in node.phases:
            assert metrics[node.id].get(phase, {}) == store.metrics_of(node.id, phase)


def test_only_nodes_that_newer_events_speak_of_can_be_asked_for(store) -> None:
    run = store.latest_run()
    _, layer, filters = store.nodes(run.id)
    before = store.last_event_id(run.id)
    made = add(store, layer)
    store.tag(filters.id, "x")
    nodes, _, _ = store.nodes_by_phase(run.id, after_event=before)
    assert {n.name for n in nodes} == {layer.name, filters.name, *(n.name for n in made)}
