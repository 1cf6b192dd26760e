"""The view of a run that is too large to be shown whole."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from explorer.session.events import CandidatesProposed
from explorer.views import live_run as live
from explorer.views.live_run import LiveRun
from store import TreeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from random_trees import act, new_run


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "LARGE", 5)
    monkeypatch.setattr(live, "MOST", 8)
    draw = random.Random(3)
    with TreeStore.open(tmp_path / "large.pex.db", create=True) as store:
        run = new_run(store, 1)
        while store.num_nodes(run.id) < 30:
            act(store, run, draw)
        yield store, run


def attached(store, run) -> LiveRun:
    view = LiveRun()
    view.attach(store, run)
    return view


def test_of_a_large_run_the_kept_path_comes_first_then_the_newest_nodes(tree):
    store, run = tree
    view = attached(store, run)
    first = set(view.nodes)
    assert not view.complete and first == {o.name for o in store.kept_path(run.id)}
    view.adopt(view.read_all())
    newest = {n.name for n in store.nodes(run.id)[-8:]}
    assert view.complete and view.num_stored == store.num_nodes(run.id) > len(view.nodes)
    assert first | newest <= set(view.nodes)
    parents = {name.rpartition(".")[0] for name in view.nodes} - {""}
    assert parents <= set(view.nodes), "each node hangs on its parent"


def test_what_happens_below_nodes_that_are_not_shown_is_not_shown(tree):
    store, run = tree
    view = attached(store, run)
    view.adopt(view.read_all())
    missing = [n for n in store.nodes(run.id) if n.name not in view.nodes]
    hidden = next(n for n in missing if n.state == "ready")
    shown = next(n for n in store.nodes(run.id)[::-1] if n.state == "ready")
    for node in (hidden, shown):
        added = store.add_candidates(
            node.id, proposal={}, edits=[{"structure": "layer", "blocks": ["layer1.1"]}]
        )
        view.on_event(CandidatesProposed(node.name, tuple(each.name for each in added)))
    changed = [node.name for node in view.changes().nodes]
    assert changed == [added[0].name] and changed[0] in view.nodes
