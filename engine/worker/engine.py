"""The engine: does one job after the other, whoever asks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.contracts.budgets import FitBudgets
from engine.contracts.codec import encode
from engine.contracts.comparing import CompareCriteria
from engine.contracts.files import write_text_atomically
from engine.contracts.jobs import (
    DescribeData,
    DescribeStructure,
    Doctor,
    Export,
    Job,
    JobRequest,
    NameWeights,
    OpenRoot,
    Propose,
    Recover,
    Result,
    TrainFromScratch,
    Tune,
)
from engine.contracts.preview import Preview
from engine.contracts.speed import MeasureSpeed
from engine.contracts.spool import result_path
from engine.contracts.working_folder import make_folder
from engine.runtime.progress import Monitor
from engine.worker import handlers
from engine.worker.workbench import Workbench

# One row a kind of job. The type of the job decides, so its handler gets the type it names.
HANDLERS: dict[type[Job], Callable[[Any, Workbench, Any, Monitor], Result]] = {
    OpenRoot: handlers.open_root,
    Propose: handlers.propose,
    Recover: handlers.recover,
    Tune: handlers.tune,
    TrainFromScratch: handlers.train_from_scratch,
    Export: handlers.export,
    Doctor: handlers.doctor,
    DescribeData: handlers.describe_data,
    NameWeights: handlers.name_weights,
    DescribeStructure: handlers.describe_structure,
    MeasureSpeed: handlers.measure_speed,
    Preview: handlers.preview,
    CompareCriteria: handlers.compare_criteria,
    FitBudgets: handlers.fit_budgets,
}


class Engine:
    """Runs jobs; results and weights go to the spool folder, weights of parents come from it."""

    def __init__(self, spool: Path) -> None:
        self.bench = Workbench(spool)

    def run(self, request: JobRequest, monitor: Monitor) -> Result:
        """The result of a job. Raises EngineError and its children, and Cancelled."""
        started = time.perf_counter()
        self.bench.allowed_transforms = request.places.transforms
        self.bench.validation = request.places.validation
        handler = HANDLERS[type(request.job)]
        found = handler(request.job, self.bench, request.places, monitor)
        result = replace(found, seconds=round(time.perf_counter() - started, 3))
        if request.key is not None:
            # Finished work outlives a session that dies before it has stored it.
            make_folder(self.bench.spool)
            path = result_path(self.bench.spool, request.key)
            write_text_atomically(path, json.dumps(encode(result)))
        return result
