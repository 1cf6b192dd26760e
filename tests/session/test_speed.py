"""How quickly work goes is measured by doing it, and nothing of it stays."""

from __future__ import annotations

import random
import threading
import time

import numpy as np
import pytest
import torch
from small import write_data, write_network

from engine.contracts.codec import encode
from engine.contracts.errors import Cancelled
from engine.contracts.jobs import JOBS, RESULTS, JobRequest, OpenRoot, Places
from engine.contracts.networks import DataRef, FileRef, NetworkRef, Reading
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.speed import MeasureSpeed
from engine.runtime.progress import SILENT, Monitor
from engine.worker.engine import Engine


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path / "spool")


def asked(engine: Engine, folder, **changes) -> JobRequest:
    """A measurement of the tiny network as a root."""
    places = Places(data=str(write_data(folder)), checkpoint=str(write_network(folder)))
    root = engine.run(JobRequest("0", OpenRoot(FileRef("tiny.pt", "0")), places=places), SILENT)
    job = MeasureSpeed(
        NetworkRef(root.architecture, root.snapshot),
        DataRef(root.data.digest, root.data.mean, root.data.std, Reading()),
        root.environment.execution,
        TrainingSettings(batch_size=16),
        ScoringSettings(criterion_samples=4, min_blocks=1, **changes.pop("scoring", {})),
        SimilaritySettings(),
        **{"seconds": 0.1, **changes},
    )
    return JobRequest("1", job, places=places)


@pytest.mark.parametrize("criterion", ["kl", "kl-fast", "kl-fisher", "l1"])
def test_every_part_is_measured_and_the_first_step_known(engine, tmp_path, criterion):
    found = engine.run(asked(engine, tmp_path, scoring={"criterion": criterion}), SILENT)
    assert found.training_items_per_second > 0 and found.evaluating_items_per_second > 0
    assert found.ranking_seconds + found.ranking_seconds_per_item > 0
    assert found.compare_seconds_per_row > 0 and found.resample_seconds_per_row > 0
    assert {each.structure for each in found.candidates} == {"layer", "filter"}
    assert all(each.macs > 0 and each.params > 0 for each in found.candidates)


def test_beside_another_only_what_recoveries_do_is_measured(engine, tmp_path):
    found = engine.run(asked(engine, tmp_path, beside_another=True), SILENT)
    assert found.training_items_per_second > 0 and found.evaluating_items_per_second > 0
    assert found.ranking_seconds_per_item == 0 and found.candidates == ()


def test_nothing_stays_of_it(engine, tmp_path):
    request = asked(engine, tmp_path)
    states = (random.getstate(), np.random.get_state(), torch.get_rng_state())
    before = sorted(path.name for path in (tmp_path / "spool").iterdir())
    weights = engine.bench.network(request.job.network, None).state_dict()
    engine.run(request, SILENT)
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == before
    assert random.getstate() == states[0]
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), states[1], strict=True))
    assert torch.equal(torch.get_rng_state(), states[2])
    again = engine.bench.network(request.job.network, None).state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)


def test_it_takes_about_as_long_as_was_asked(engine, tmp_path):
    request = asked(engine, tmp_path, seconds=0.2)
    started = time.perf_counter()
    engine.run(request, SILENT)
    assert time.perf_counter() - started < 20, "on whatever machine"


def test_it_can_be_cancelled(engine, tmp_path):
    request, stop = asked(engine, tmp_path), threading.Event()
    told = []

    def listen(event) -> None:
        told.append(event)
        stop.set()

    with pytest.raises(Cancelled):
        engine.run(request, Monitor(listen, stop))
    assert told


def test_job_and_result_travel_as_json(engine, tmp_path):
    request = asked(engine, tmp_path)
    assert JOBS.decode(encode(request.job)) == request.job
    result = engine.run(request, SILENT)
    assert RESULTS.decode(encode(result)) == result
