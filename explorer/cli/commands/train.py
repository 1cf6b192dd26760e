"""`train` and `doctor`: jobs of a worker that need no store."""

from __future__ import annotations

import asyncio
import json
import tempfile
import uuid
from pathlib import Path
from typing import cast

import typer

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
from explorer.cli.progress import Reporter
from explorer.executors.worker_pool import WorkerPool
from explorer.session.events import JobTold


def run_job(request: JobRequest, spool: Path, reporter: Reporter) -> Result:
    """The result of one job in a worker of its own."""
    kind = request.job.KIND

    async def work() -> Result:
        executor = WorkerPool(spool, log=spool / "worker.log")
        try:
            return await executor.run(request, lambda event: reporter(JobTold("", kind, event)))
        finally:
            await executor.close()

    return asyncio.run(work())


def train(job: TrainFromScratch, data: str, output: Path, *, as_json: bool) -> None:
    """Trains a network and writes it."""
    path = Path(data).expanduser()
    places = Places(data=str(path.resolve()) if path.exists() else data, output=str(output))
    result = cast(
        Trained, _run_in_a_folder(JobRequest(uuid.uuid4().hex, job, f"train {job.arch}", places))
    )
    if as_json:
        told = {"metrics": dict(result.metrics), "path": str(output), "data": encode(result.data)}
        typer.echo(json.dumps({**told, "seconds": result.seconds}, indent=2))
        return
    metrics = result.metrics
    typer.echo(
        f"{output}: test accuracy {metrics['test_accuracy']:.2f} %, "
        f"validation {metrics['val_accuracy']:.2f} %, "
        f"{metrics['macs'] / 1e6:.2f} M multiply-accumulates, {metrics['params']:,.0f} parameters"
    )


def doctor(device: str, *, as_json: bool) -> None:
    """Prints what the machine can do."""
    result = cast(Diagnosis, _run_in_a_folder(JobRequest(uuid.uuid4().hex, Doctor(device))))
    found = {
        **encode_object(result.environment),
        "cuda_devices": result.cuda_devices,
        "seconds": result.seconds,
    }
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        typer.echo(f"{name.replace('_', ' '):18} {'-' if value is None else value}")


def _run_in_a_folder(request: JobRequest) -> Result:
    """The result of a job that leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="pe-explore-") as folder, Reporter() as reporter:
        return run_job(request, Path(folder), reporter)
