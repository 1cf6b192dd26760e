"""What goes of a network for budgets of cost."""

from __future__ import annotations

import time

from engine.contracts.budgets import FitBudgets, Fitted
from engine.contracts.jobs import Places
from engine.contracts.keeping import check_keep
from engine.contracts.networks import Execution
from engine.pruning.fitting import Fitter, choices_of
from engine.pruning.limits import Limits
from engine.pruning.scores import check_scores
from engine.pruning.structure import structure_of
from engine.runtime.progress import Monitor
from engine.tasks import examples
from engine.worker.workbench import Workbench


def fit(
    job: FitBudgets, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Fitted:
    """The best choice for each budget of a job that has scores. Raises Cancelled."""
    assert job.scores is not None
    task = bench.task_of(job.data, places, execution, monitor)
    parent = bench.network(job.parent, places.factory)
    structure = job.structure or structure_of(parent)
    check_scores(job.scores, structure)
    edits = job.parent.architecture.edits
    check_keep(structure, job.scoring.keep, edits)
    choices = choices_of(
        structure, job.scores, job.scoring, Limits.of(job.scoring, structure, edits)
    )
    started = time.perf_counter()
    timed_by = execution if any(each.latency is not None for each in job.budgets) else None
    fitter = Fitter(parent, structure, choices, examples(task, 1), monitor, timed_by)
    table_seconds = time.perf_counter() - started
    fits = []
    for done, allowed in enumerate(job.budgets):
        monitor.step("choosing", done, len(job.budgets))
        fits.append(fitter.fit(allowed))
    return Fitted(
        job.scoring.criterion,
        fitter.tables["macs"].whole,
        fitter.tables["params"].whole,
        tuple(fits),
        table_seconds=round(table_seconds, 3),
    )
