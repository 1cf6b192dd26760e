"""Decisions that are too close, repeated with other seeds."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from small import request_of, write_data, write_network

from explorer.executors.in_process import InProcessExecutor
from explorer.session.confirming import KIND, similarities, verdict
from explorer.session.events import ignore
from explorer.session.open_run import open_session
from explorer.session.search import grow_tree
from explorer.session.steering import Steering
from store import TreeStore


class Counting(InProcessExecutor):
    """Keeps the labels of jobs; ends all work at the one of that number, if any."""

    stop_at: int | None = None

    def __init__(self, spool: Path) -> None:
        super().__init__(spool)
        self.labels: list[str] = []

    async def run(self, request, on_event):
        if len(self.labels) == self.stop_at:
            raise asyncio.CancelledError  # as Ctrl-C does
        self.labels.append(request.label)
        return await super().run(request, on_event)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def grow(files, path: Path, executor=Counting, **settings) -> list[str]:
    """Grows one decision; the labels of its recoveries."""
    made: list = []

    def make(spool: Path):
        made.append(executor(spool))
        return made[0]

    async def work():
        request = request_of(files, path, **{"iterations": 1, **settings})
        session = await open_session(request, make, ignore)
        try:
            await grow_tree(session)
        finally:
            await session.close()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(work())
    return sorted(label for label in made[0].labels if label.startswith("recover"))


def decided(path: Path):
    """The decision at the root, and its candidates' similarities by seed."""
    with TreeStore.open(path, read_only=True) as store:
        root = store.node(store.runs()[0].id, "R")
        nodes = store.children(root.id)
        assert all(each.kind == KIND for node in nodes for each in store.evaluations(node.id))
        found = {node.name: similarities(store, node) for node in nodes}
        return store.decision_of(root.id), found, {node.id: node.name for node in nodes}


# ------------------------------------------------------------ the test


@pytest.mark.parametrize("looks", [1, 4])
def test_the_interval_is_students_at_a_level_that_bonferroni_gives(looks):
    differences = [0.011, -0.002, 0.014, 0.006]
    found = verdict(differences, 0.0, looks)
    exact = stats.ttest_1samp(differences, 0).confidence_interval(1 - 0.05 / looks)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    assert found.value == pytest.approx(statistics.fmean(differences))
    assert found.too_close is bool(exact.low <= 0 <= exact.high)


@given(
    st.lists(st.floats(-1, 1), min_size=2, max_size=8),
    st.floats(-0.5, 0.5),
    st.integers(1, 10),
)
def test_what_turns_the_decision_turns_the_verdict(differences, turning, looks):
    found = verdict(differences, turning, looks)
    turned = verdict([-each for each in differences], -turning, looks)
    assert turned.too_close == found.too_close
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    more = verdict(differences, turning, looks + 5)
    assert more.high - more.low >= found.high - found.low, "who looks more often is surer later"


def test_one_seed_says_nothing_of_seeds():
    assert verdict([0.3], 0.0, 3).too_close is None


def test_a_false_alarm_is_as_rare_as_is_said():
    """Of decisions between equals, looked at after each of five seeds, at most 5 % seem clear."""
    import numpy as np

    random = np.random.default_rng(0)
    clear = 0
    for _ in range(1_000):
        drawn = random.normal(size=6).tolist()
        clear += any(not verdict(drawn[: n + 1], 0.0, 5).too_close for n in range(1, 6))
    assert clear / 1_000 <= 0.065


# ------------------------------------------------------------ in a tree


def test_a_close_decision_is_repeated_and_its_reason_tells_it(files, tmp_path):
    path = tmp_path / "a.db"
    labels = grow(files, path, confirm=2)
    decision, found, names = decided(path)
    assert set(found["R.L"]) == set(found["R.F"])
    seeds = len(found["R.L"])
    assert 2 <= seeds <= 3, "it was too close, and two more seeds were allowed"
    assert labels == sorted(["recover R.L", "recover R.F"] * seeds)
    assert len(set(found["R.F"].values())) == seeds, "each recovery is another one"
    means = {name: statistics.fmean(each.values()) for name, each in found.items()}
    assert [names[i] for i in decision.kept] == [max(means, key=means.get)]
    ended = "still too close" if decision.too_close else "clear"
    assert decision.reason == (
        f"CKA {means['R.L']:.4f} {'≥' if means['R.L'] >= means['R.F'] else '<'} "
        f"{means['R.F']:.4f} over {seeds} seeds: {ended} (Student's t at 5 %, by Bonferroni for "
        "2 looks)"
    )
    assert decision.margin == pytest.approx(means["R.L"] - means["R.F"])
    differences = [found["R.L"][n] - found["R.F"][n] for n in range(seeds)]
    exact = stats.ttest_1samp(differences, 0).confidence_interval(1 - 0.05 / 2)
    assert (decision.margin_low, decision.margin_high) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"confirm": 3, "layer_bonus": 1.0},  # it is clear
        pytest.param({"confirm": 3, "policy": "layers"}, marks=pytest.mark.slow),
        pytest.param({"confirm": 3, "recovery_epochs": 0}, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_repeated_where_that_would_say_nothing(files, tmp_path, settings):
    path = tmp_path / "a.db"
    labels = grow(files, path, **settings)
    decision, found, _ = decided(path)
    assert len(labels) == len(set(labels))
    assert all(set(each) <= {0} for each in found.values())
    assert "seeds" not in decision.reason


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [4, 5])
def test_a_decision_that_was_interrupted_comes_out_the_same(files, tmp_path, stop_at):
    class Stopping(Counting):
        pass

    Stopping.stop_at = stop_at
    whole, parted = tmp_path / "whole.db", tmp_path / "parted.db"
    grow(files, whole, confirm=2)
    grow(files, parted, Stopping, confirm=2)
    assert decided(parted)[0] is None
    grow(files, parted, confirm=2)
    (one, ours, _), (other, theirs, _) = decided(whole), decided(parted)
    assert ours == theirs
    assert (one.reason, one.margin_low) == (other.reason, other.margin_low)


@pytest.mark.slow
def test_in_the_explorer_it_is_repeated_before_anybody_is_asked(files, tmp_path):
    path = tmp_path / "a.db"

    async def work():
        request = request_of(files, path, iterations=1, confirm=2)
        session = await open_session(request, Counting, ignore)
        steering = Steering(session)
        try:
            steering.grow(session.node("R"))
            await steering.idle()
            return steering.suggestion(session.node("R")).reason
        finally:
            await steering.stop()
            await session.close()

    reason = asyncio.run(work())
    whole = tmp_path / "whole.db"
    grow(files, whole, confirm=2)
    assert reason == decided(whole)[0].reason and "seeds" in reason
