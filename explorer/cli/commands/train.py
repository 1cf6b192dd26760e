"""`train` and `doctor`: jobs of a worker that need no store."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import cast

from engine.contracts.codec import encode, encode_object
from engine.contracts.jobs import (
    Diagnosis,
    Doctor,
    JobRequest,
    Places,
    Result,
    Trained,
    TrainFromScratch,
)
from engine.contracts.options import check_name, check_short_name
from engine.contracts.spool import log_path
from explorer.cli.console import say
from explorer.cli.json_types import Machine, NetworkTrained, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.worker_pool import WorkerPool
from explorer.session.data_places import full_path
from explorer.session.events import JobAsked, JobTold
from explorer.session.named_files import check_data, check_output, expanded
from explorer.views.measured_text import with_unit
from explorer.views.node_view import printed

SHORTCUTS = ("A", "B", "conv")


def run_job(request: JobRequest, spool: Path, reporter: Reporter) -> Result:
    """The result of one job in a worker of its own."""
    kind = request.job.KIND

    async def work() -> Result:
        executor = WorkerPool(spool, log=log_path(spool))
        reporter(JobAsked("", kind))
        try:
            return await executor.run(request, lambda event: reporter(JobTold("", kind, event)))
        finally:
            await executor.close()

    with ending_in_order():
        return asyncio.run(work())


def train(job: TrainFromScratch, data: str, output: Path, *, as_json: bool) -> None:
    """Trains a network and writes it."""
    check_short_name(job.arch)
    check_name("shortcut", job.shortcut, SHORTCUTS)
    check_data(data)
    output = expanded(output).absolute()
    check_output(output, "--output")
    places = Places(data=full_path(data), output=str(output))
    result = cast(
        Trained, _run_in_a_folder(JobRequest(uuid.uuid4().hex, job, f"train {job.arch}", places))
    )
    if as_json:
        print_json(_as_printed(job, result, output))
        return
    words = (
        f"test accuracy {with_unit('test_accuracy', result.metrics.get('test_accuracy'))}",
        f"validation {with_unit('val_accuracy', result.metrics.get('val_accuracy'))}",
        f"{result.metrics.get('macs', 0) / 1e6:.2f} M multiply-accumulates",
        f"{with_unit('params', result.metrics.get('params'))} parameters",
    )
    say(f"{output}: {', '.join(words)}")


def _as_printed(job: TrainFromScratch, result: Trained, output: Path) -> NetworkTrained:
    metrics = {key: printed(key, value) for key, value in result.metrics.items()}
    made = {"recipe": encode(job.recipe), "environment": encode(result.environment)}
    data = encode_object(result.data)
    return NetworkTrained({**metrics, **made}, str(output), data, result.seconds)


def doctor(device: str, *, as_json: bool) -> None:
    """Prints what the machine can do."""
    result = cast(Diagnosis, _run_in_a_folder(JobRequest(uuid.uuid4().hex, Doctor(device))))
    found = Machine(
        **vars(result.environment), cuda_devices=result.cuda_devices, seconds=result.seconds
    )
    if as_json:
        print_json(found)
        return
    for name, value in encode_object(found).items():
        say(f"{name.replace('_', ' '):18} {'-' if value is None else value}")


def _run_in_a_folder(request: JobRequest) -> Result:
    """The result of a job that leaves nothing behind."""
    with temporary_folder() as folder, Reporter() as reporter:
        return run_job(request, folder, reporter)
