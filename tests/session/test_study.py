"""A study with the real engine: shared nodes, the root trained on, stopped and gone on with."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from small import request_of, write_data, write_network

from engine.contracts.codec import encode
from engine.contracts.jobs import Tune
from explorer.executors.errors import JobFailedError
from explorer.executors.in_process import InProcessExecutor
from explorer.session.events import ignore
from explorer.session.open_run import open_session
from explorer.session.study import control
from explorer.session.study.growing import grow
from explorer.session.study.runs import Cell, StudyRuns
from explorer.session.study.runs import request_of as request_of_cell
from explorer.session.study.ways import Study, Way
from explorer.views.study.oracle import oracle_told
from explorer.views.study.table import study_told
from store import TreeStore

STUDY = Study(
    "mine", "", (Way("cka"), Way("layers", {"policy": "layers"}),
                 Way("filters", {"policy": "filters"})),
)  # fmt: skip
SEEDS = (0, 1)


class Counting(InProcessExecutor):
    """Keeps the jobs that are really done; ends all work at the one of that number, if any."""

    stop_at: int | None = None
    fail: str | None = None

    def __init__(self, spool: Path) -> None:
        super().__init__(spool)
        self.jobs: list = []

    async def run(self, request, on_event):
        if len(self.jobs) == self.stop_at:
            raise asyncio.CancelledError  # as Ctrl-C does
        self.jobs.append(request)
        if self.fail and request.label.startswith(self.fail):
            raise JobFailedError("refused", "this network has none of these")
        return await super().run(request, on_event)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return write_network(folder), write_data(folder)


def study(files, path: Path, executor=Counting, study=STUDY, seeds=SEEDS, **settings):
    """Grows what is missing; the table, and the labels of the jobs that were done for it."""
    request = request_of(files, path, **{"iterations": 1, "num_resamples": 2, **settings})
    made: list = []

    def make(spool: Path):
        made.append(executor(spool))
        return made[0]

    async def work():
        first = request_of_cell(request, study, Cell(study.ways[0], seeds[0]))
        session = await open_session(first, make, ignore)
        try:
            runs = StudyRuns(session.store, session.document, request, study, seeds)
            grown = await grow(session, runs, lambda what, seed: None)
            return encode(study_told(runs, grown))
        finally:
            await session.close()

    try:
        table = asyncio.run(work())
    except asyncio.CancelledError:
        table = None
    labels = [job.label for job in made[0].jobs if job.job.KIND not in ("open", "data")]
    return table, labels, made[0].jobs


@pytest.fixture(scope="module")
def whole(files, tmp_path_factory):
    """A study that nothing has interrupted."""
    path = tmp_path_factory.mktemp("whole") / "study.pex.db"
    return path, *study(files, path)


def test_no_job_is_done_twice(whole):
    _, _, labels, jobs = whole
    # A seed: one ranking, two recoveries, both tuned (each is kept by a way), the root trained on.
    assert Counter(labels) == dict.fromkeys(
        ["propose R", "recover R.L", "recover R.F", "tune R.L", "tune R.F", "tune R"], len(SEEDS)
    )
    keys = [job.key for job in jobs if job.key is not None]
    assert len(set(keys)) == len(keys)


def test_the_table_tells_of_every_way_and_of_the_root_at_equal_epochs(whole):
    _, table, _, _ = whole
    rows = {row["way"]: row for row in table["rows"]}
    assert list(rows) == ["cka", "layers", "filters", "root, trained on"]
    for row in rows.values():
        assert row["seeds"] == list(SEEDS)
        assert row["epochs"]["mean"] == 2.0, "as many for all"
    assert rows["cka"]["epochs_in_all"]["mean"] == 3.0, "and one for the candidate that went"
    assert rows["layers"]["epochs_in_all"]["mean"] == 2.0
    root = rows["root, trained on"]
    assert root["is_control"] and root["measures"]["macs_left"]["mean"] == 100.0
    assert rows["layers"]["measures"]["macs_left"]["mean"] < 100.0
    assert table["against"] == "cka" and rows["cka"]["differences"] == {}
    ours, theirs = rows["filters"]["measures"], rows["cka"]["measures"]
    difference = rows["filters"]["differences"]["test_accuracy"]
    mean = ours["test_accuracy"]["mean"] - theirs["test_accuracy"]["mean"]
    assert difference["mean"] == pytest.approx(mean) and difference["count"] == len(SEEDS)
    assert difference["low"] <= difference["mean"] <= difference["high"]


def test_the_root_is_trained_as_a_kept_node_is(whole):
    path, _, _, jobs = whole
    (first, *_) = [job.job for job in jobs if job.label == "tune R"]
    (kept, *_) = [job.job for job in jobs if job.label == "tune R.L"]
    assert isinstance(first, Tune) and first.training.recovery_epochs == 0
    assert first.training.total_epochs == kept.training.total_epochs
    with TreeStore.open(path, read_only=True) as store:
        root = store.node(store.runs()[0].id, "R")
        assert first.network.snapshot.sha256 == store.snapshot_hash(root.id, "root")
        (evaluation,) = store.evaluations(root.id)
    assert evaluation.kind == control.KIND and "test_accuracy" in evaluation.metrics


def test_siblings_that_different_ways_have_tuned_are_pairs_of_the_oracle(whole):
    with TreeStore.open(whole[0], read_only=True) as store:
        found = oracle_told([store])
    assert (found.parents, found.pairs) == (1, len(SEEDS))
    assert {outcome.outcome: outcome.pairs for outcome in found.outcomes} == dict.fromkeys(
        ["recovered", "tuned", "test"], len(SEEDS)
    )


def test_nothing_is_done_again_of_what_is_there(files, whole):
    path, table, _, _ = whole
    again, labels, _ = study(files, path)
    assert labels == [] and again == table


SLOW = pytest.mark.slow


@pytest.mark.parametrize("stop_at", [pytest.param(3, marks=SLOW), 7, pytest.param(11, marks=SLOW)])
def test_a_study_that_was_stopped_goes_on_and_comes_to_the_same_table(
    files, whole, tmp_path, stop_at
):
    class Stopping(Counting):
        pass

    Stopping.stop_at = stop_at
    path = tmp_path / "study.pex.db"
    nothing, before, _ = study(files, path, Stopping)
    assert nothing is None
    again, after, _ = study(files, path)
    _, table, labels, _ = whole
    assert {**again, "store": ""} == {**table, "store": ""}
    done, needed = Counter(before) + Counter(after), Counter(labels)
    assert done >= needed and (done - needed).total() <= 1, "but for what was under way"


@pytest.mark.slow
def test_a_deeper_study_goes_on_from_the_one_that_is_there(files, tmp_path):
    path = tmp_path / "study.pex.db"
    two = Study("mine", "", STUDY.ways[:2])
    first, _, _ = study(files, path, study=two, seeds=(0,))
    table, labels, _ = study(files, path, study=two, seeds=(0,), iterations=2)
    assert "propose R" not in labels and "recover R.L" not in labels
    # The root's first schedule was not kept as weights, so it is trained anew, twice.
    assert labels.count("tune R") == 2
    assert [row["decisions"]["mean"] for row in table["rows"]] == [2.0, 2.0, 0.0]
    assert [row["epochs"]["mean"] for row in table["rows"]] == [4.0, 4.0, 4.0]
    shallow, labels, _ = study(files, path, study=two, seeds=(0,), iterations=1)
    assert shallow == first and labels == [], "of what was grown on only the first steps count"


def test_a_way_that_fails_is_told_and_the_others_go_on(files, tmp_path):
    class Failing(Counting):
        fail = "recover R.F"

    table, labels, _ = study(files, tmp_path / "study.pex.db", Failing)
    rows = {row["way"]: row for row in table["rows"]}
    assert "this network has none of these" in rows["cka"]["why_not"]
    assert "this network has none of these" in rows["filters"]["why_not"]
    assert rows["layers"]["why_not"] is None and rows["layers"]["seeds"] == list(SEEDS)
    assert table["against"] == "layers"
    assert labels.count("recover R.F") == 2, "tried once by each way, not with every seed"


@pytest.mark.slow
def test_each_way_of_training_has_a_root_of_its_own(files, tmp_path):
    ways = (Way("step", {"policy": "layers"}),
            Way("cosine", {"policy": "layers", "schedule": "cosine"}))  # fmt: skip
    table, labels, _ = study(
        files, tmp_path / "study.pex.db", study=Study("mine", "", ways), seeds=(0,)
    )
    assert [row["way"] for row in table["rows"]] == [
        "step", "cosine", "root, trained on", "root, trained on (schedule cosine)"
    ]  # fmt: skip
    assert labels.count("tune R") == 2 and labels.count("propose R") == 1
