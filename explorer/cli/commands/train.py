"""`train` and `doctor`: jobs of a worker that need no store."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from engine.contracts.codec import decode, encode_object
from engine.contracts.settings import Settings
from explorer.cli.json_types import Machine, NetworkTrained, print_json
from explorer.cli.progress import Reporter
from explorer.executors.worker_pool import WorkerExecutor


def run_job(job: Mapping[str, Any], reporter: Reporter) -> dict[str, Any]:
    """The result of one job in a worker of its own."""

    async def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="pe-explore-") as folder:
            executor = WorkerExecutor(Path(folder), log=Path(folder) / "worker.log")
            try:
                return await executor.run(
                    {"id": job["kind"], **job}, lambda e: reporter({**e, "kind": job["kind"]})
                )
            finally:
                await executor.close()

    return asyncio.run(work())


def train(job: Mapping[str, Any], data: str, *, as_json: bool) -> None:
    """Trains a network and writes it."""
    path = Path(data).expanduser()
    settings = Settings(data=str(path.resolve()) if path.exists() else data)
    with Reporter() as reporter:
        result = run_job({"kind": "train", **job, "settings": settings.as_dict()}, reporter)
    trained = decode(NetworkTrained, result)
    if as_json:
        print_json(trained)
        return
    figures = decode(_Figures, trained.metrics)
    typer.echo(
        f"{trained.path}: test accuracy {figures.test_accuracy:.2f} %, "
        f"validation {figures.val_accuracy:.2f} %, "
        f"{figures.macs / 1e6:.2f} M multiply-accumulates, {figures.params:,.0f} parameters"
    )


@dataclass(frozen=True)
class _Figures:
    test_accuracy: float
    val_accuracy: float
    macs: float
    params: float


def doctor(device: str, *, as_json: bool) -> None:
    """Prints what the machine can do."""
    with Reporter() as reporter:
        found = decode(Machine, run_job({"kind": "doctor", "device": device}, reporter))
    if as_json:
        print_json(found)
        return
    for name, value in encode_object(found).items():
        typer.echo(f"{name.replace('_', ' '):18} {'-' if value is None else value}")
