"""Who teaches a candidate: jobs name the network, from the tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.contracts.jobs import snapshots_needed
from engine.contracts.networks import DataDescription
from engine.contracts.setting_sections import TrainingSettings
from engine.contracts.settings import Settings
from engine.contracts.speed import CandidateCost, SpeedMeasured
from explorer.executors.unavailable import UnavailableExecutor
from explorer.session.artifacts import Artifacts
from explorer.session.documents import RunDocument
from explorer.session.job_runner import JobRunner
from explorer.session.speed import Speed
from explorer.views.plan import predict
from store import TreeStore

GOLDEN = Path(__file__).parents[1] / "store" / "golden" / "growing-6.db"


@pytest.mark.parametrize("features", ["", ":features"])
def test_jobs_name_the_root_or_the_parent_and_have_its_weights_at_hand(tmp_path, features):
    with TreeStore.open(GOLDEN, read_only=True) as store:
        document = RunDocument.of(store.runs()[0])

        def jobs(distill: str) -> JobRunner:
            training = replace(document.settings.training, distill=distill)
            settings = replace(document.settings, training=training)
            artifacts = Artifacts(store, tmp_path / "spool")
            changed = replace(document, settings=settings)
            return JobRunner(store, changed, UnavailableExecutor(), artifacts, print)

        root = store.node(document.run.id, "R")
        nodes = [n for n in store.nodes(document.run.id) if n.parent_id and n.state == "ready"]
        assert any(node.parent_id != root.id for node in nodes)
        for node in nodes:
            assert node.parent_id is not None
            parent = jobs("none").network(store.node_by_id(node.parent_id))
            of_root = jobs("none").network(root)
            expected = {"none": (None, None), "parent" + features: (None, parent),
                        "root" + features: (of_root, of_root)}  # fmt: skip
            for distill, (of_recovery, of_tuning) in expected.items():
                runner = jobs(distill)
                for job, teacher in ((runner.recover_job(node), of_recovery),
                                     (runner.tune_job(node), of_tuning)):  # fmt: skip
                    assert job.teacher == teacher
                    if teacher is not None:
                        assert teacher.snapshot in snapshots_needed(job)


DATA = DataDescription("d", ("a", "b"), num_train=1000, num_validation=100, num_test=100)
CANDIDATES = (CandidateCost("layer", 90, 9), CandidateCost("filter", 90, 9))
ALONE = SpeedMeasured(100.0, 1000.0, 0.0, candidates=CANDIDATES)
SPEED = Speed(ALONE, ALONE, at_once=1)


def recovering(**training) -> tuple[int, float]:
    """The items and seconds of a decision's recoveries, by the plan."""
    how = TrainingSettings(recovery_epochs=2, tune_epochs=2, batch_size=100, **training)
    found = predict(Settings(training=how), DATA, 100.0, SPEED)
    return next((each.items, each.seconds) for each in found.phases if each.phase == "recover")


def test_the_plan_counts_shares_of_the_items_steps_and_what_a_teacher_takes():
    items, seconds = recovering()
    assert items == 2 * 2 * 1000
    assert recovering(train_subset="random:0.25") == (items // 4, pytest.approx(seconds / 4))
    assert recovering(recovery_steps=5) == (2 * 500, pytest.approx(seconds / 4))
    asked = recovering(train_subset="el2n:0.25")
    assert asked == (items // 4, pytest.approx(seconds / 4 + seconds / 20))
    assert recovering(distill="parent") == (items, pytest.approx(seconds * 1.1))
