"""Criteria are compared with the exact KL by a job, and by the command that asks for it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from small import write_data, write_network
from typer.testing import CliRunner

from engine.contracts.codec import encode
from engine.contracts.comparing import CompareCriteria
from engine.contracts.errors import Cancelled, SettingsError
from engine.contracts.jobs import JOBS, RESULTS, JobRequest, OpenRoot, Places
from engine.contracts.methods import CRITERIA
from engine.contracts.networks import DataRef, FileRef, NetworkRef, Reading
from engine.measures import rank_correlation
from engine.measures.rank_correlation import spearman
from engine.pruning.criteria import CRITERIA as FUNCTIONS
from engine.pruning.criteria.any_network.refusals import refused
from engine.pruning.structure import structure_of
from engine.runtime.progress import SILENT, Monitor
from engine.tasks import ImageTask
from engine.worker import comparing
from engine.worker.engine import Engine
from explorer.cli.main import app
from explorer.executors.in_process import InProcessExecutor


@pytest.fixture
def engine(tmp_path):
    return Engine(tmp_path / "spool")


def asked(engine: Engine, folder, *criteria: str, **changes) -> JobRequest:
    """A comparison of the tiny network as a root."""
    places = Places(data=str(write_data(folder)), checkpoint=str(write_network(folder)))
    root = engine.run(JobRequest("0", OpenRoot(FileRef("tiny.pt", "0")), places=places), SILENT)
    job = CompareCriteria(
        NetworkRef(root.architecture, root.snapshot),
        DataRef(root.data.digest, root.data.mean, root.data.std, Reading()),
        root.environment.execution,
        criteria,
        num_items=12,
        draws=3,
        seed=0,
    )
    return JobRequest("1", replace(job, **changes), places=places)


def test_each_criterion_is_told_with_its_intervals_or_the_reason(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(rank_correlation, "RESAMPLES", 20)
    request = asked(engine, tmp_path, *CRITERIA)
    found = engine.run(request, SILENT)
    assert [each.name for each in found.criteria] == list(CRITERIA)
    assert (found.num_items, found.draws) == (12, 3)
    for each in found.criteria[1:]:
        assert each.reason is None, "all apply to a ResNet"
        known = [each.units, each.within_groups, each.least_tenth]
        for figure in filter(None, known):  # ranks of small maps may all be alike
            assert -1 <= figure.low <= figure.high <= 1
        assert each.seconds >= 0
    by_name = {each.name: each for each in found.criteria}
    assert by_name["kl-fisher"].units.value > 0.5 > by_name["random"].units.value
    assert RESULTS.decode(encode(found)) == found
    assert JOBS.decode(encode(request.job)) == request.job


def test_what_it_tells_is_the_rank_correlation_of_the_mean_scores(engine, tmp_path):
    request = asked(engine, tmp_path, "taylor")
    found = engine.run(request, SILENT).criteria[1]
    bench, job = engine.bench, request.job
    task = bench.task_of(job.data, request.places, job.execution, SILENT)
    assert isinstance(task, ImageTask)
    model = bench.network(job.network, None)
    about = (model, structure_of(model), task)
    seen = []

    def noted(model, structure, task, items_N, *more, **options):
        seen.append(items_N)
        return FUNCTIONS["kl"](model, structure, task, items_N, *more, **options)

    before = comparing.criterion_of
    try:
        comparing.criterion_of = lambda name, _: noted if name == "kl" else FUNCTIONS[name]
        engine.run(request, SILENT)
    finally:
        comparing.criterion_of = before
    flat = [
        np.mean([
            [v for vs in FUNCTIONS[name](*about, part, job.execution).units.values() for v in vs]
            for part in seen
        ], 0)
        for name in ("kl", "taylor")
    ]  # fmt: skip
    assert found.units.value == pytest.approx(spearman(*flat))


def test_progress_is_of_all_and_never_goes_back_and_cancel_is_heard(engine, tmp_path):
    request = asked(engine, tmp_path, "kl-fast", "taylor")
    seen = []
    engine.run(request, Monitor(seen.append))
    steps = [(each.done, each.total) for each in seen if each.phase == "comparing criteria"]
    assert steps == sorted(steps) and steps[-1][0] == steps[-1][1]
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        engine.run(request, Monitor(None, stop))


def test_an_unknown_criterion_is_named_before_anything_runs(engine, tmp_path):
    with pytest.raises(SettingsError, match="did you mean 'taylor'"):
        engine.run(asked(engine, tmp_path, "tailor"), SILENT)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("explorer.cli.commands.criteria.workers", InProcessExecutor)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_network(tmp_path)
    write_data(tmp_path)
    return tmp_path


def ran(command: str, *arguments: str, exit_code: int = 0):
    result = CliRunner().invoke(app, [command, *arguments])
    assert result.exit_code == exit_code, result.output
    return result


LITTLE = ("--images", "8", "--draws", "2")


@pytest.mark.slow
def test_a_checkpoint_and_a_store_of_it_are_compared_alike(here):
    options = (*LITTLE, "--criterion", "l1", "--criterion", "taylor", "--json")
    of_file = json.loads(ran("criteria", "tiny.pt", "--data", "bars.npz", *options).stdout)
    assert [each["name"] for each in of_file["criteria"]] == ["kl", "l1", "taylor"]
    assert not list(here.glob("*.db")), "nothing is stored"
    ran(
        "auto", "tiny.pt", "--data", "bars.npz", "--iterations", "1", "--min-blocks", "1",
        "--recovery-epochs", "0", "--tune-epochs", "0", "--criterion", "l1", "--num-resamples",
        "2", "--store", "tiny.pex.db", "--yes",
    )  # fmt: skip
    of_store = json.loads(ran("criteria", "tiny.pex.db", *options).stdout)
    timeless = [
        [{k: v for k, v in each.items() if k != "seconds"} for each in found["criteria"]]
        for found in (of_file, of_store)
    ]
    assert timeless[0] == timeless[1]


def refusing(*about, **options):
    raise refused("lrp", "is not for it")


def test_the_table_has_the_best_first_and_says_what_does_not_apply(here, monkeypatch):
    names = ("random", "taylor", "lrp")
    wanted = [word for name in names for word in ("--criterion", name)]
    monkeypatch.setitem(FUNCTIONS, "lrp", refusing)
    shown = ran("criteria", "tiny.pt", "--data", "bars.npz", *LITTLE, *wanted).stdout
    rows = [line.split()[0] for line in shown.splitlines() if line]
    assert rows.index("kl") < rows.index("taylor") < rows.index("random") < rows.index("lrp")
    assert "on 8 training images in 2 draws, against kl, exact" in shown
    assert "lrp does not apply: --criterion lrp is not for it; another one" in shown


def test_too_few_images_and_a_run_of_no_store_are_refused(here):
    few = ran("criteria", "tiny.pt", "--data", "bars.npz", "--images", "2", exit_code=2)
    assert "--images" in few.output
    wrong = ran("criteria", "tiny.pt", "--data", "bars.npz", "--run", "1", exit_code=2)
    assert "is none" in wrong.output
