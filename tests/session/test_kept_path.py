"""The kept path is the same for the store, the views, the tree on the screen, and any moment."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from test_replay import FILTER, LAYER, act, finish, new_run

from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.documents import RunDocument
from explorer.session.session import Session
from explorer.views.kept_path import kept_path
from explorer.views.replay import Replay
from explorer.views.stored_nodes import node_views
from explorer.views.tree.model import TreeModel
from explorer.views.tree.node import TreeNode
from store import TreeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))


def names(nodes) -> list[str]:
    return [node.name for node in nodes]


def by_the_screen(nodes) -> list[str]:
    model = TreeModel(TreeNode.of(node) for node in nodes)
    return [model.nodes[number].name for number in model.kept_path()]


def by_the_store(store: TreeStore, run_id: int) -> list[str]:
    path = names(store.lineage(store.tip(run_id)))
    shown = {outline.name for outline in store.kept_path(run_id)}
    assert set(path) <= shown
    return path


def keep_both(store: TreeStore, run_id: int, draw: random.Random) -> None:
    """Keeps every ready candidate of some parent, or decides anew for one of them."""
    for node in draw.sample(nodes := store.nodes(run_id), len(nodes)):
        ready = [child.id for child in store.children(node.id) if child.state == "ready"]
        if len(ready) > 1:
            kept = ready if draw.random() < 0.6 else [draw.choice(ready)]
            store.decide(node.id, kept=kept, suggested=None, actor="user", reason="both")
            return


@pytest.mark.parametrize("seed", range(6))
def test_whoever_is_asked_the_path_is_the_same_now_and_at_every_moment(tmp_path: Path, seed):
    draw = random.Random(seed)
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        seen: dict[int, list[str]] = {}
        for _ in range(150):
            (keep_both if draw.random() < 0.2 else act)(store, run.id, draw)
            nodes = node_views(store, run.id)
            path = names(kept_path(nodes))
            assert path == by_the_store(store, run.id) == by_the_screen(nodes)
            seen[store.last_event_id(run.id)] = path
        replay = Replay.of(store, run.id)
        moments = [moment for moment in replay.moments if moment.event_id in seen]
        assert len(moments) > 30 and len(set(map(tuple, seen.values()))) > 3
        for moment in moments:
            assert names(kept_path(replay.nodes_at(moment.number))) == seen[moment.event_id]


@pytest.fixture
def grown(tmp_path: Path):
    """A root with a layer candidate, two filter candidates, and one below each of the first two."""
    draw = random.Random(0)
    with TreeStore.open(tmp_path / "p.pex.db", create=True) as store:
        run = new_run(store)
        root = store.node(run.id, "R")
        for edits in ([LAYER, FILTER], [FILTER]):
            for node in store.add_candidates(root.id, proposal={}, edits=edits):
                finish(store, node, "recovered", draw)
        yield store, run


def decide(store, run, *kept: str, parent: str = "R") -> list[str]:
    """The path after a decision."""
    ids = [store.node(run.id, name).id for name in kept]
    store.decide(store.node(run.id, parent).id, kept=ids, suggested=None, actor="user", reason="")
    return names(kept_path(node_views(store, run.id)))


def test_after_keep_both_it_goes_along_the_candidate_made_last(grown):
    assert decide(*grown, "R.L", "R.F") == ["R", "R.F"]
    assert decide(*grown, "R.L", "R.F", "R.F2") == ["R", "R.F2"]


def test_a_new_decision_counts_alone_and_undone_ones_are_back(grown):
    store, run = grown
    assert decide(store, run, "R.F") == ["R", "R.F"]
    assert decide(store, run, "R.L") == ["R", "R.L"]
    store.undecide(store.node(run.id, "R").id, actor="user", reason="undo")
    assert names(kept_path(node_views(store, run.id))) == ["R"]
    assert decide(store, run, "R.F") == ["R", "R.F"]
    assert decide(store, run) == ["R"], "none is kept"


def test_a_branch_joins_the_path_where_its_candidate_is_the_newer_one(grown):
    assert decide(*grown, "R.F") == ["R", "R.F"]
    assert decide(*grown, "R.L", "R.F") == ["R", "R.F"], "R.L was made before"
    assert decide(*grown, "R.F", "R.F2") == ["R", "R.F2"]


def test_growing_alone_goes_on_along_it(grown, tmp_path):
    store, run = grown
    assert decide(store, run, "R.L", "R.F") == ["R", "R.F"]
    session = Session(store, RunDocument.of(run), UnavailableExecutor(), Artifacts(store, tmp_path))
    root = session.node("R")
    assert session.decide(root, store.children(root.id)).name == "R.F"
