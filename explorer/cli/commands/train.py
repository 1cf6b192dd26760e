"""`train` and `doctor`: jobs of a worker that need no store."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.contracts.codec import encode, encode_object
from engine.contracts.errors import UsageError
from engine.contracts.jobs import (
    Diagnosis,
    Doctor,
    JobRequest,
    Places,
    Recipe,
    Result,
    Trained,
    TrainFromScratch,
)
from engine.contracts.loaders import FROM_DATA, validation_file
from engine.contracts.options import SettingValue, check_name
from engine.contracts.references import Factory, factory_here, name_of
from engine.contracts.settings import Settings, with_values
from engine.contracts.short_names import RESNET, short_name
from engine.contracts.spool import log_path
from explorer.cli.console import say
from explorer.cli.json_types import Machine, NetworkTrained, print_json
from explorer.cli.progress import Reporter
from explorer.cli.sessions import ending_in_order
from explorer.cli.temporary import temporary_folder
from explorer.executors.worker_pool import WorkerPool
from explorer.session.data_places import full_path
from explorer.session.events import JobAsked, JobTold
from explorer.session.model_source import ModelSource, is_network, source_of
from explorer.session.named_files import (
    check_data,
    check_output,
    check_task,
    check_validation,
    expanded,
)
from explorer.views.measured_text import with_unit
from explorer.views.node_view import printed

SHORTCUTS = ("A", "B", "conv")
SCHEDULES = ("one-cycle", "step", "cosine")


def run_job(request: JobRequest, spool: Path, reporter: Reporter) -> Result:
    """The result of one job in a worker of its own."""
    kind = request.job.KIND

    async def work() -> Result:
        async with _workers(spool) as executor:
            reporter(JobAsked("", kind))
            return await executor.run(request, lambda event: reporter(JobTold("", kind, event)))

    with ending_in_order():
        return asyncio.run(work())


@dataclass(frozen=True)
class Request:
    """What the user asked to train; `settings` holds those that were given."""

    model: str
    weights: Path | None
    width: int
    shortcut: str
    output_key: str | None
    data: str
    epochs: int
    schedule: str
    settings: Mapping[str, SettingValue]
    device: str = "auto"
    threads: int | None = None
    output: Path | None = None
    arch: str | None = None
    random_weights: bool = False
    task: str | None = None

    @property
    def place(self) -> str:
        """Where the data are: the function that makes a task, or of images."""
        return full_path(self.data) if self.task is None else self.task

    @property
    def validation(self) -> str:
        """Where a person's own images that are to decide lie; empty where none are given."""
        return validation_file(str(self.settings.get("validation_from") or FROM_DATA))

    def recipe(self, settings: Settings) -> Recipe:
        """The recipe that the settings make."""
        training = settings.training
        return Recipe(
            epochs=self.epochs,
            learning_rate=training.learning_rate,
            batch_size=training.batch_size,
            weight_decay=training.weight_decay,
            seed=settings.seed,
            optimiser=training.optimiser,
            schedule=self.schedule,
            warmup_epochs=training.warmup_epochs,
            label_smoothing=training.label_smoothing,
            mixup=training.mixup,
            accumulate=training.accumulate,
            norms=training.norms,
        )


def train(request: Request, *, as_json: bool) -> None:
    """Trains a network and writes it."""
    source = _source_of(request)
    check_name("shortcut", request.shortcut, SHORTCUTS)
    check_name("schedule", request.schedule, SCHEDULES)
    task = _task_of(request)
    output = expanded(request.output or f"{_short_name(request.model)}.pt").absolute()
    check_output(output, "--output")
    if source is not None and source.weights is not None:
        source = _with_librarys_weights(source)
    begin = "" if source is None or source.path is None else str(source.path.absolute())
    if begin and os.path.realpath(begin) == os.path.realpath(output):
        raise UsageError(
            f"{output} is what the training begins with; name another file with --output"
        )
    job = _job_of(request, request.model if source is None else source.arch or "")
    places = Places(
        data=request.place,
        checkpoint=begin,
        output=str(output),
        task=task,
        transforms=job.reading.transforms,
        validation=full_path(request.validation),
    )
    asked = JobRequest(uuid.uuid4().hex, job, f"train {_short_name(request.model)}", places)
    result = cast(Trained, _run_in_a_folder(asked))
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


def _job_of(request: Request, arch: str) -> TrainFromScratch:
    settings = with_values(Settings(), request.settings)
    named = settings.data.transforms
    transforms = None if named is None else factory_here(named)
    return TrainFromScratch(
        arch,
        request.recipe(settings),
        request.width,
        request.shortcut,
        request.device,
        request.threads,
        replace(settings.data.reading, transforms=transforms),
        output=request.output_key,
    )


def _task_of(request: Request) -> Factory | None:
    """What makes the data's task, None for images. Raises UsageError, ForeignFactoryError."""
    if request.validation:
        check_validation(request.validation)
    if request.task is None:
        check_data(request.data)
        return None
    return check_task(request.task)


def _source_of(request: Request) -> ModelSource | None:
    """The network or checkpoint that is meant, None for a short name such as `resnet20`."""
    if not is_network(request.model) and not os.path.lexists(expanded(request.model)):
        _check_short_name(request)
        return None
    _check_no_options_of_resnets(request)
    is_random = is_network(request.model) and request.weights is None
    return source_of(replace(request, random_weights=is_random))


def _check_short_name(request: Request) -> None:
    """Raises SettingsError for no short name, UsageError for options that are not for it."""
    kind = short_name(request.model).kind
    if request.weights is not None:
        raise UsageError(
            f"--weights is for a network by reference; to go on from {request.weights}, give "
            "that file as MODEL"
        )
    if request.arch is not None:
        raise UsageError(f"{request.model} says already what the network is; leave --arch out")
    if request.task is not None:
        raise UsageError(
            f"{request.model} is a network for images of --data; with --task give a network by "
            "reference, such as package.module:factory, or a checkpoint"
        )
    if kind != RESNET:
        _check_no_options_of_resnets(request)


def _check_no_options_of_resnets(request: Request) -> None:
    given = {"width": request.width != TrainFromScratch.width,
             "shortcut": request.shortcut != TrainFromScratch.shortcut}  # fmt: skip
    for name, is_given in given.items():
        if is_given:
            raise UsageError(
                f"--{name} is for resnet20, resnet56 and the like; leave it out for {request.model}"
            )


def _short_name(model: str) -> str:
    """What the checkpoint is called unless told: the network, or `-trained` behind a file."""
    if is_network(model):
        return name_of(model)
    if os.path.lexists(expanded(model)):
        return f"{expanded(model).stem or 'network'}-trained"
    return model


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


def _with_librarys_weights(source: ModelSource) -> ModelSource:
    """The source with the file of the weights that it names."""

    async def work(spool: Path, reporter: Reporter) -> ModelSource:
        async with _workers(spool) as executor:
            return await source.with_weights(executor, reporter)

    with temporary_folder() as folder, Reporter() as reporter, ending_in_order():
        return asyncio.run(work(folder, reporter))


@contextlib.asynccontextmanager
async def _workers(spool: Path) -> AsyncIterator[WorkerPool]:
    """Workers of a command's own, closed at its end."""
    executor = WorkerPool(spool, log=log_path(spool))
    try:
        yield executor
    finally:
        await executor.close()


def _run_in_a_folder(request: JobRequest) -> Result:
    """The result of a job that leaves nothing behind."""
    with temporary_folder() as folder, Reporter() as reporter:
        return run_job(request, folder, reporter)
