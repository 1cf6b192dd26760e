"""`study oracle` over stores made by hand: which pairs there are, and what is known of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.contracts.networks import Scores
from explorer.views.study.oracle import oracle_told
from store import TreeStore

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from rich_store import ENVIRONMENT
from small_tensors import FILTER, LAYER, ROOT, tensors

BLOCK = LAYER["blocks"][0]
UNITS = FILTER["filters"]
# Of all that the filters lose more is known to be missed than of the block.
SCORES = Scores({BLOCK: 0.5}, {path: tuple(0.3 for _ in range(99)) for path in UNITS})


def make_run(store: TreeStore, seed: int = 0, **settings):
    return store.create_run(
        name=f"run-{seed}", seed=seed, architecture={"factory": "tiny", "arguments": {}},
        data={"name": "sample", "digest": "d"}, settings={"iterations": 2, **settings},
        environment=ENVIRONMENT, root_snapshot=tensors(ROOT),
        root_metrics={"val_accuracy": 90.0, "macs": 1000, "params": 400},
    )  # fmt: skip


def family(store: TreeStore, parent, layer: dict, filters: dict, tag: str) -> list:
    """A layer and a filter candidate of a parent, recovered with those measures."""
    proposal = {"criterion": "kl", "scores": SCORES.as_json()}
    nodes = store.add_candidates(parent.id, proposal=proposal, edits=[LAYER, FILTER])
    for node, metrics in zip(nodes, (layer, filters), strict=True):
        store.finish(node.id, "recovered", snapshot=f"{tag} {node.structure}".encode(),
                     metrics=metrics, epochs=[], resamples=None, seconds=1.0)  # fmt: skip
    return [store.node_by_id(node.id) for node in nodes]


def tune(store: TreeStore, node, accuracy: float, test: float) -> None:
    store.finish(node.id, "tuned", snapshot=f"{node.name} {node.run_id} tuned".encode(),
                 metrics={"val_accuracy": accuracy, "test_accuracy": test}, epochs=[],
                 resamples=None, seconds=1.0)  # fmt: skip


def signals(outcome) -> dict:
    return {signal.signal: signal for signal in outcome.signals}


@pytest.fixture
def store(tmp_path):
    with TreeStore.open(tmp_path / "a.pex.db", create=True) as opened:
        yield opened


def test_each_signal_is_held_against_what_became_of_the_candidates(store):
    """At R the more similar one is the better, below R.L the less similar one."""
    run = make_run(store)
    root = store.node(run.id, "R")
    layer, _ = family(
        store, root,
        {"similarity": 0.9, "val_accuracy": 88.0, "val_accuracy_before": 50.0, "macs": 800},
        {"similarity": 0.8, "val_accuracy": 85.0, "val_accuracy_before": 60.0, "macs": 700},
        "R",
    )  # fmt: skip
    tune(store, layer, 89.0, 88.5)
    family(
        store, store.node_by_id(layer.id),
        {"similarity": 0.7, "val_accuracy": 84.0, "val_accuracy_before": 40.0, "macs": 600},
        {"similarity": 0.6, "val_accuracy": 86.0, "val_accuracy_before": 45.0, "macs": 650},
        "R.L",
    )  # fmt: skip
    found = oracle_told([store])
    assert (found.parents, found.pairs) == (2, 2)
    (recovered,) = found.outcomes  # of no pair both are tuned
    assert (recovered.outcome, recovered.pairs, recovered.equal) == ("recovered", 2, 0)
    of = signals(recovered)
    assert of["similarity:cka"].picked.value == 0.5
    assert of["val_accuracy_before"].picked.value == 0.5
    assert of["macs"].picked.value == 1.0 and of["macs"].is_control
    assert of["macs"].tau.value == 1.0
    assert "val_accuracy" not in of, "that is the outcome itself"
    # Both times the layer has the lower score, and is the better one at R only.
    assert 0.3 * sum(map(len, UNITS.values())) > 0.5
    assert of["score:kl"].picked.value == 0.5
    words = "the higher CKA to the parent picked the better of two in 50 % of 2 pairs of 2 parents"
    assert of["similarity:cka"].words == f"{words}; a coin does 50 %"


def test_what_runs_have_in_common_is_counted_once_and_tuning_is_put_together(store):
    """Two runs of the same candidates: one has tuned the layer's, the other the filters'."""
    one = {"similarity": 0.9, "val_accuracy": 85.0}
    other = {"similarity": 0.8, "val_accuracy": 86.0}
    for tuned, (accuracy, test) in enumerate([(90.0, 87.0), (89.0, 88.0)]):
        run = make_run(store, policy=("layers", "filters")[tuned])
        nodes = family(store, store.node(run.id, "R"), one, other, "same")
        tune(store, nodes[tuned], accuracy, test)
    found = oracle_told([store])
    assert (found.parents, found.pairs) == (1, 1)
    by_outcome = {outcome.outcome: signals(outcome) for outcome in found.outcomes}
    picked = {name: of["similarity:cka"].picked.value for name, of in by_outcome.items()}
    assert picked == {"recovered": 0.0, "tuned": 1.0, "test": 0.0}
    assert by_outcome["tuned"]["val_accuracy"].picked.value == 0.0


def test_a_lower_score_and_a_lower_loss_speak_for_a_candidate(store):
    run = make_run(store)
    family(store, store.node(run.id, "R"), {"val_loss": 0.4, "val_accuracy": 85.0},
           {"val_loss": 0.6, "val_accuracy": 84.0}, "R")  # fmt: skip
    of = signals(oracle_told([store]).outcomes[0])
    assert (of["score:kl"].picked.value, of["val_loss"].picked.value) == (1.0, 1.0)


def test_equal_pairs_are_told_and_order_nothing(store):
    run = make_run(store)
    family(store, store.node(run.id, "R"), {"similarity": 0.9, "val_accuracy": 85.0},
           {"similarity": 0.8, "val_accuracy": 85.0}, "R")  # fmt: skip
    (recovered,) = oracle_told([store]).outcomes
    assert (recovered.pairs, recovered.equal, recovered.signals) == (1, 1, ())


def test_seeds_of_one_root_are_pairs_of_one_parent(store):
    for seed in range(4):
        run = make_run(store, seed)
        family(store, store.node(run.id, "R"), {"similarity": 0.9, "val_accuracy": 80.0 + seed},
               {"similarity": 0.8, "val_accuracy": 82.0}, f"seed {seed}")  # fmt: skip
    found = oracle_told([store])
    assert (found.parents, found.pairs) == (1, 4)
    of = signals(found.outcomes[0])["similarity:cka"]
    # 80, 81, 82 (equal), 83 against 82: of three that differ one is picked rightly.
    assert (of.pairs, of.parents) == (3, 1)
    assert of.picked.value == pytest.approx(1 / 3) and of.picked.low is None


def test_several_stores_are_one_table(store, tmp_path):
    run = make_run(store)
    family(store, store.node(run.id, "R"), {"val_accuracy": 80.0}, {"val_accuracy": 82.0}, "a")
    with TreeStore.open(tmp_path / "b.pex.db", create=True) as other:
        run = make_run(other, 1)
        family(other, other.node(run.id, "R"), {"val_accuracy": 81.0}, {"val_accuracy": 79.0}, "b")
        found = oracle_told([store, other])
    assert (found.parents, found.pairs, len(found.stores)) == (1, 2, 2)


def test_a_criterion_whose_scores_lack_what_went_says_nothing(store):
    run = make_run(store)
    root = store.node(run.id, "R")
    nodes = store.add_candidates(
        root.id,
        proposal={"criterion": "l1", "scores": Scores({}, {}).as_json()},
        edits=[LAYER, FILTER],
    )
    for node, accuracy in zip(nodes, (80.0, 81.0), strict=True):
        store.finish(node.id, "recovered", snapshot=node.name.encode(),
                     metrics={"val_accuracy": accuracy, "similarity": accuracy / 100},
                     epochs=[], resamples=None, seconds=1.0)  # fmt: skip
    assert set(signals(oracle_told([store]).outcomes[0])) == {"similarity:cka"}
