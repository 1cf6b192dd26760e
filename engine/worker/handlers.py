"""What each kind of job does: from a job, the workbench and its places to a result."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path

import torch

from engine.contracts import seeds
from engine.contracts.budgets import FitBudgets, Fitted
from engine.contracts.comparing import CompareCriteria, CriteriaCompared
from engine.contracts.errors import DataError
from engine.contracts.export_formats import check_suffix
from engine.contracts.jobs import (
    DataDescribed,
    DescribeData,
    DescribeStructure,
    Diagnosis,
    Doctor,
    Export,
    Exported,
    NameWeights,
    Opened,
    OpenRoot,
    Places,
    Propose,
    Proposed,
    Recover,
    Recovered,
    StructureDescribed,
    Trained,
    TrainFromScratch,
    Tune,
    Tuned,
    WeightsNamed,
)
from engine.contracts.keeping import check_keep
from engine.contracts.networks import DataRef, Execution
from engine.contracts.preview import Preview, Previewed
from engine.contracts.references import is_task
from engine.contracts.speed import MeasureSpeed, SpeedMeasured
from engine.export import EXPORTERS, Provenance
from engine.models.libraries import weight_urls
from engine.pruning import candidates, requests
from engine.pruning.allocations import Probe
from engine.pruning.criteria.ranking import scores_of
from engine.pruning.limits import Limits
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.tasks import examples
from engine.worker import comparing, describing, recovering, roots, speed, training
from engine.worker import preview as previewing
from engine.worker.fetching import fetch
from engine.worker.own_criteria import criterion_of
from engine.worker.workbench import Workbench


def open_root(job: OpenRoot, bench: Workbench, places: Places, monitor: Monitor) -> Opened:
    """A checkpoint as the root of a tree: what it is, how good it is on these data."""
    execution = _set_up(None, job.device)
    return roots.open_root(job, execution, bench, places, monitor)


def propose(job: Propose, bench: Workbench, places: Places, monitor: Monitor) -> Proposed:
    """The scores of a parent's structures, and one edit for each candidate, or for a request."""
    execution = _set_up(job.execution)
    task = bench.task_of(job.data, places, execution, monitor)
    parent = bench.network(job.parent, places.factory)
    structure = job.structure or structure_of(parent)
    edits = job.parent.architecture.edits
    check_keep(structure, job.scoring.keep, edits)
    limits = Limits.of(job.scoring, structure, edits)
    if job.request is not None:
        requests.check(job.request, parent, structure, job.scoring.units, limits)
    scores, sample_ids = job.scores, None
    if scores is None:
        items_N = task.sample(job.scoring.criterion_samples, job.seed)
        looked_at = (parent, structure, task, items_N, execution, monitor)
        criterion = criterion_of(job.scoring.criterion, places.criterion)
        scores = scores_of(job.scoring, criterion, *looked_at)
        sample_ids = tuple(sorted(items_N.tolist()))
    check_scores(scores, structure, job.scoring.units)
    about = (
        structure,
        scores,
        job.scoring,
        examples(task, 1),
        seeds.derive(job.seed, "filters"),
    )
    probe = Probe(parent, task, execution, job.seed, monitor)
    if job.request is not None:
        proposed = [requests.edit_of(job.request, parent, *about, limits=limits, probe=probe)]
    else:
        proposed = candidates.propose(parent, *about, limits=limits, probe=probe)
    return Proposed(job.scoring.criterion, scores, tuple(proposed), sample_ids, job.request)


def recover(job: Recover, bench: Workbench, places: Places, monitor: Monitor) -> Recovered:
    """A candidate: the edit applied, mended, recovered, measured and compared to its parent."""
    return recovering.recover(job, _set_up(job.execution), bench, places, monitor)


def tune(job: Tune, bench: Workbench, places: Places, monitor: Monitor) -> Tuned:
    """A kept node after the remaining epochs; test accuracy is measured here, to report."""
    return recovering.tune(job, _set_up(job.execution), bench, places, monitor)


def train_from_scratch(
    job: TrainFromScratch, bench: Workbench, places: Places, monitor: Monitor
) -> Trained:
    """A network trained and written as a checkpoint."""
    execution = _set_up(None, job.device, job.threads)
    return training.train(job, execution, bench, places, monitor)


def export(job: Export, bench: Workbench, places: Places, monitor: Monitor) -> Exported:
    """A node written as a file of the format that is asked for."""
    output = Path(places.output)
    check_suffix(job.format, output.name)
    model = bench.network(job.network, places.factory)
    about = Provenance(job.network.architecture, job.data, job.metrics)
    EXPORTERS[job.format](model, about, output)
    return Exported(output.stat().st_size)


def doctor(job: Doctor, bench: Workbench, places: Places, monitor: Monitor) -> Diagnosis:
    """What this machine can do and which rules follow from it."""
    execution = _set_up(None, job.device)
    return Diagnosis(device.environment_of(execution), torch.cuda.device_count())


def describe_data(
    job: DescribeData, bench: Workbench, places: Places, monitor: Monitor
) -> DataDescribed:
    """Which images lie at a place; the next job there need not read them again."""
    if is_task(places.data):
        return DataDescribed(bench.persons_task(places, job.reading).describe())
    wanted = DataRef(job.digest, (), (), job.reading)
    with contextlib.suppress(DataError):  # others, if any
        return DataDescribed(bench.images_of(wanted, places.data, monitor).describe())
    return DataDescribed(bench.images(places.data, job.reading, monitor).describe())


def name_weights(
    job: NameWeights, bench: Workbench, places: Places, monitor: Monitor
) -> WeightsNamed:
    """What torchvision's own weights of a network are called in its cache; where a file is named
    that is not there yet, the first of them is fetched to it."""
    urls = weight_urls(job.factory, job.weights)
    if places.output and urls:
        first = next(iter(urls))
        fetch(urls[first], Path(places.output).with_name(first), monitor)
    return WeightsNamed(tuple(urls))


def describe_structure(
    job: DescribeStructure, bench: Workbench, places: Places, monitor: Monitor
) -> StructureDescribed:
    """What can be removed from a network, looked at on the CPU."""
    _set_up(None, "cpu")
    return describing.describe(job, bench, places, monitor)


def measure_speed(
    job: MeasureSpeed, bench: Workbench, places: Places, monitor: Monitor
) -> SpeedMeasured:
    """How quickly a network's work goes here."""
    return speed.measure(job, _set_up(job.execution), bench, places, monitor)


def preview(job: Preview, bench: Workbench, places: Places, monitor: Monitor) -> Previewed:
    """What a candidate would be, before it is made."""
    return previewing.look(job, _set_up(job.execution), bench, places, monitor)


def compare_criteria(
    job: CompareCriteria, bench: Workbench, places: Places, monitor: Monitor
) -> CriteriaCompared:
    """How criteria rank a network against the exact KL."""
    return comparing.compare(job, _set_up(job.execution), bench, places, monitor)


def fit_budgets(job: FitBudgets, bench: Workbench, places: Places, monitor: Monitor) -> Fitted:
    """What goes for budgets of cost, by integer programming."""
    from engine.worker import fitting  # SciPy takes a while to load

    scoring_seconds = None
    if job.scores is None:  # as a proposal would
        asked = Propose(
            job.parent, job.data, job.execution, job.scoring, job.seed, structure=job.structure
        )
        started = time.perf_counter()
        job = replace(job, scores=propose(asked, bench, places, monitor).scores)
        scoring_seconds = time.perf_counter() - started
    found = fitting.fit(job, _set_up(job.execution), bench, places, monitor)
    return replace(found, scoring_seconds=scoring_seconds)


# ------------------------------------------------------------ what they share


def _set_up(
    execution: Execution | None, wanted: str = "auto", threads: int | None = None
) -> Execution:
    chosen = execution or device.choose(wanted, threads)
    if execution is not None:
        # Bits depend on threads and dtype: a resumed run keeps what it was started with.
        device.choose(execution.device)  # raises where that device is gone
    device.apply(chosen)
    return chosen
