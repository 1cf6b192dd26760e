"""How quickly a run's work goes on this machine, measured by the workers that will do it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from engine.contracts.jobs import DescribeData, Places
from engine.contracts.networks import DataRef, Environment, NetworkRef
from engine.contracts.setting_sections import ScoringSettings, SimilaritySettings, TrainingSettings
from engine.contracts.settings import Settings
from engine.contracts.speed import MeasureSpeed, SpeedMeasured
from engine.contracts.structure import NetworkStructure
from explorer.executors.base import Executor
from explorer.session.events import Emit
from explorer.session.root_job import run_for_root

SECONDS = 1.0  # that each part is tried


@dataclass(frozen=True)
class Subject:
    """The network whose work is measured, on which data, and where they lie here."""

    network: NetworkRef
    data: DataRef
    environment: Environment
    structure: NetworkStructure | None
    places: Places


@dataclass(frozen=True)
class Speed:
    """How quickly the work of a run goes here: of jobs that have the machine alone, and of each
    recovery beside the others that run at once."""

    alone: SpeedMeasured
    beside: SpeedMeasured
    at_once: int = 1
    another_worker_seconds: float = 0.0  # until the second one can begin
    complete: bool = True  # whether recoveries were tried beside one another


def by_which_speed_differs(
    settings: Settings,
) -> tuple[TrainingSettings, ScoringSettings, SimilaritySettings]:
    """The settings that change how quickly work goes, without those that change how much of it
    there is."""
    usual = TrainingSettings()
    training = replace(
        settings.training,
        recovery_epochs=usual.recovery_epochs,
        tune_epochs=usual.tune_epochs,
        learning_rate=usual.learning_rate,
        weight_decay=usual.weight_decay,
        schedule=usual.schedule,
        warmup_epochs=usual.warmup_epochs,
        label_smoothing=usual.label_smoothing,
        # The plan knows by itself how much work these are; all weights are taken as trained.
        repair=usual.repair,
        recover=usual.recover,
        distill=usual.distill,
        train_subset=usual.train_subset,
        recovery_steps=usual.recovery_steps,
        clip_norm=usual.clip_norm,
        hopeless=usual.hopeless,
    )
    scoring = replace(
        settings.scoring,
        criterion_samples=ScoringSettings().criterion_samples,
        allocation=ScoringSettings().allocation,
    )
    return training, scoring, SimilaritySettings(settings.similarity.measure)


async def measure_speed(
    subject: Subject,
    settings: Settings,
    executor: Executor,
    emit: Emit,
    tell: Callable[[Speed], object] = lambda speed: None,
) -> Speed:
    """The speeds; `tell` gets what is known before recoveries are tried beside one another.

    Raises JobFailedError, and CancelledError once the executor is closed.
    """
    environment = subject.environment
    alone = await _measured(subject, settings, executor, emit, environment.num_threads)
    at_once = environment.candidates_at_once
    speed = Speed(alone, alone, at_once)
    if at_once == 1:
        return speed
    tell(replace(speed, complete=False))
    started = time.monotonic()
    look = DescribeData(subject.data.digest, subject.data.reading)
    await asyncio.gather(
        *(run_for_root(look, subject.places, executor, emit, slots=1) for _ in range(at_once))
    )
    another_worker_seconds = time.monotonic() - started
    threads = max(1, environment.num_threads // at_once)
    each = await asyncio.gather(
        *(
            _measured(subject, settings, executor, emit, threads, beside_another=True)
            for _ in range(at_once)
        )
    )
    slowest = SpeedMeasured(
        min(one.training_items_per_second for one in each),
        min(one.evaluating_items_per_second for one in each),
        max(one.prepare_seconds for one in each),
    )
    return Speed(alone, slowest, at_once, another_worker_seconds)


async def _measured(
    subject: Subject,
    settings: Settings,
    executor: Executor,
    emit: Emit,
    num_threads: int,
    *,
    beside_another: bool = False,
) -> SpeedMeasured:
    job = MeasureSpeed(
        network=subject.network,
        data=subject.data,
        execution=replace(subject.environment.execution, num_threads=num_threads),
        training=settings.training,
        scoring=settings.scoring,
        similarity=settings.similarity,
        structure=subject.structure,
        seconds=SECONDS,
        beside_another=beside_another,
    )
    slots = 1 if beside_another else None
    return cast(SpeedMeasured, await run_for_root(job, subject.places, executor, emit, slots=slots))
