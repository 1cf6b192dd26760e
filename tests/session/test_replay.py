"""The past of a run, moment by moment."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views
from store import TreeStore

LAYER = {"structure": "layer", "blocks": ["layer1.1"]}
FILTER = {"structure": "filter", "filters": {"layer1.0.conv1": [1, 2]}}


def new_run(store: TreeStore):
    return store.create_run(
        name="past", seed=0, architecture={}, data={}, settings={}, environment={},
        root_metrics={"val_accuracy": 90.0, "macs": 1000.0, "params": 10.0}, root_snapshot=b"r",
    )  # fmt: skip


def act(store: TreeStore, run_id: int, draw: random.Random) -> None:
    """One random step of a tree's life."""
    nodes = store.nodes(run_id)
    ready = [n for n in nodes if n.state == "ready"]
    node = draw.choice(ready)
    children = store.children(node.id)
    steps = ("grow", "finish", "finish", "tune", "decide", "undecide", "say", "fail", "free")
    what = draw.choice(steps)
    waiting = [n for n in nodes if n.state in ("queued", "failed")]
    if what == "grow" and len(nodes) < 30:
        store.add_candidates(node.id, proposal={"criterion": "kl"}, edits=[LAYER, FILTER])
    elif what == "finish" and waiting:
        chosen = draw.choice(waiting)
        store.set_state(chosen.id, "queued")
        finish(store, chosen, "recovered", draw)
    elif what == "tune" and node.parent_id and "tuned" not in node.phases:
        finish(store, node, "tuned", draw)
    elif what == "decide" and children:
        kept = [c.id for c in children if c.state == "ready" and draw.random() < 0.5]
        store.decide(node.id, kept=kept, suggested=None, actor="user", reason="so", margin=0.25)
    elif what == "undecide" and (d := store.decision_of(node.id)) and d.candidates:
        store.undecide(node.id, actor="user", reason="undid")
    elif what == "say" and node.parent_id:
        store.tag(node.id, draw.choice("ab"), draw.random() < 0.7)
        store.note(node.id, draw.choice(("", "n")))
        store.drop(node.id, draw.random() < 0.5)
    elif what == "fail" and waiting and waiting[0].state == "queued":
        store.set_state(waiting[0].id, "failed", "the loss became nan")
    elif what == "free":
        store.free()


def finish(store, node, phase, draw) -> None:
    metrics = {"val_accuracy": draw.random() * 100, "macs": 900.0, "params": 9.0}
    if phase == "recovered":
        metrics["similarity"] = draw.random()
    store.finish(node.id, phase, snapshot=f"{node.name}{phase}".encode(), metrics=metrics,
                 epochs=[], resamples=None, seconds=draw.random())  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_the_last_moment_is_now_and_every_moment_is_as_it_was_then(tmp_path: Path, seed) -> None:
    draw = random.Random(seed)
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        seen: dict[int, list] = {}
        for _ in range(120):
            act(store, run.id, draw)
            seen[store.last_event_id(run.id)] = node_views(store, run.id)
        replay = Replay.of(store, run.id)
        assert replay.nodes_at(len(replay.moments) - 1) == node_views(store, run.id)
        by_event = {moment.event_id: moment.number for moment in replay.moments}
        compared = [e for e in seen if e in by_event]
        assert len(compared) > 30
        for event_id in compared:
            assert replay.nodes_at(by_event[event_id]) == seen[event_id]


def test_a_moment_shows_the_same_whatever_was_looked_at_before(tmp_path: Path) -> None:
    draw = random.Random(7)
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        for _ in range(80):
            act(store, run.id, draw)
        replay = Replay.of(store, run.id)
        last = len(replay.moments) - 1
        steps = [*range(last + 1), *reversed(range(last)), 3, last, 0, 9]
        for number in steps:
            anew = Replay.of(store, run.id)
            assert replay.nodes_at(number) == anew.nodes_at(number)


def test_a_replay_that_is_extended_equals_one_that_is_read_anew(tmp_path: Path) -> None:
    draw = random.Random(3)
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        replay = Replay.of(store, run.id)
        for _ in range(60):
            act(store, run.id, draw)
            replay.extend()
        anew = Replay.of(store, run.id)
        assert replay.moments == anew.moments
        for number in range(len(anew.moments)):
            assert replay.nodes_at(number) == anew.nodes_at(number)


def test_moments_read_as_sentences(tmp_path: Path) -> None:
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        root = store.node(run.id, "R")
        layer, _ = store.add_candidates(root.id, proposal={}, edits=[LAYER, FILTER])
        store.set_state(layer.id, "running")
        store.finish(layer.id, "recovered", snapshot=b"l", epochs=[], resamples=None, seconds=1,
                     metrics={"similarity": 0.9646, "val_accuracy": 87.0})  # fmt: skip
        store.decide(root.id, kept=[layer.id], suggested=layer.id, actor="cka", reason="CKA more")
        store.tag(layer.id, "good")
        assert [m.text for m in Replay.of(store, run.id).moments] == [
            "opened past",
            "R: proposed R.L (without layer1.1) and R.F (without 2 filters of 1 convolution)",
            "R.L: recovered, CKA 0.9646, validation accuracy 87.00 %",
            "R → R.L kept by cka: CKA more",
            "R.L: tagged good",
        ]
