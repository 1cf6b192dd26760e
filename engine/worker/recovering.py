"""A candidate's recovery, and the tuning of the one that was kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from torch import nn

from engine.contracts import seeds
from engine.contracts.errors import EngineError
from engine.contracts.jobs import Epoch, Metrics, Places, Recover, Recovered, Tune, Tuned
from engine.contracts.networks import Execution
from engine.contracts.setting_sections import TrainingSettings
from engine.measures.accuracy import Evaluation, evaluate
from engine.measures.cost import cost_of
from engine.measures.latency import LatencyRatio, latency_beside
from engine.pruning import editing
from engine.pruning.explicit import explicit
from engine.pruning.repairs import REPAIRS, items_to_repair_with
from engine.pruning.structure import structure_of
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import Split, Task, examples
from engine.training.distillation import Teacher
from engine.training.finetune import train
from engine.training.plan import TrainPlan, plan_of
from engine.training.recoveries import Asked, as_it_is, recovering, recovery
from engine.training.subset import subset_of
from engine.worker import likeness
from engine.worker.workbench import Workbench


@dataclass(frozen=True)
class _At:
    """A recovery under way: its job, what it works on and with."""

    job: Recover
    task: Task
    parent: nn.Module
    execution: Execution
    bench: Workbench
    places: Places
    monitor: Monitor
    layers: likeness.ComparedLayers

    def evaluate(self, model: nn.Module, split: Split, phase: str) -> Evaluation:
        """A candidate's figures and features on a split."""
        return evaluate(
            model, self.task, split, self.execution,
            monitor=self.monitor, phase=phase, layers=self.layers.of_candidate,
        )  # fmt: skip

    @property
    def split(self) -> Split:
        """The items that are compared."""
        return "test" if self.job.similarity.split == "test" else "validation"

    def reference(self) -> Evaluation:
        """The parent's features."""
        return self.bench.features(
            self.job.parent, lambda: self.parent, self.job.data, self.task, self.split,
            self.execution, self.monitor, self.layers.of_parent,
        )  # fmt: skip

    def parents_accuracy(self) -> float:
        if self.split == "validation":
            return self.reference().accuracy
        return evaluate(
            self.parent, self.task, "validation", self.execution,
            monitor=self.monitor, phase="parent's accuracy",
        ).accuracy  # fmt: skip


def recover(
    job: Recover, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Recovered:
    """A candidate: the edit applied, mended, recovered, measured and compared to its parent."""
    task = bench.task_of(job.data, places, execution, monitor)
    parent = bench.network(job.parent, places.factory)
    layers = likeness.layers_of_job(job, parent)
    at = _At(job, task, parent, execution, bench, places, monitor, layers)
    model = editing.apply(job.edit, parent)
    example = examples(task, 1)
    cost = cost_of(model, example)
    reference = at.reference()
    _repair(model, at)
    before = at.evaluate(model, "validation", "before recovery")
    likeness.check(job.similarity, reference, before)
    history = _recovered(model, at)
    validation = at.evaluate(model, "validation", "validation")
    compared = validation
    if at.split == "test":
        compared = at.evaluate(model, at.split, "comparing")
    own_ms, ratio = latency_beside(model, parent, example, execution)
    similarities, resamples = likeness.compare(job, reference, compared, bench, monitor)
    return Recovered(
        snapshot=bench.keep(model),
        epochs=tuple(history),
        resamples=resamples,
        metrics={
            **similarities,
            "val_accuracy_before": before.accuracy,
            "val_accuracy": validation.accuracy,
            "val_loss": validation.loss,
            "macs": cost.num_macs,
            "params": cost.num_params,
            "latency_ms": own_ms,
            **_ratio_metrics(ratio),
        },
    )


def tune(
    job: Tune, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Tuned:
    """A kept node after the remaining epochs, all of its weights trained on all training items."""
    task = bench.task_of(job.data, places, execution, monitor)
    model = bench.network(job.network, places.factory)
    training = job.training
    plan = _plan(job, range(training.recovery_epochs, training.total_epochs))
    given = None if job.teacher is None else bench.network(job.teacher, places.factory)
    with _taught(model, given, training, task, execution) as teacher:
        history = train(
            model, task, plan, execution, monitor=monitor, phase="tuning", teacher=teacher
        )
    validation = evaluate(model, task, "validation", execution, monitor=monitor, phase="validation")
    test = evaluate(model, task, "test", execution, monitor=monitor, phase="test")
    return Tuned(
        snapshot=bench.keep(model),
        epochs=tuple(history),
        metrics={
            "val_accuracy": validation.accuracy,
            "val_loss": validation.loss,
            "test_accuracy": test.accuracy,
        },
    )


def _repair(model: nn.Module, at: _At) -> None:
    name, edit = at.job.training.repair, at.job.edit
    if name == "none":
        return
    device = torch_device(at.execution)
    made = edit if edit.is_explicit else explicit(edit, structure_of(at.parent))
    items = items_to_repair_with(at.task, seeds.derive(at.job.seed, "repair"))
    networks = (model.to(device).eval(), at.parent.to(device).eval())
    REPAIRS[name](*networks, made, at.task, items, at.execution, at.monitor)


def _recovered(model: nn.Module, at: _At) -> list[Epoch]:
    """Trains a candidate for its recovery epochs, as far as it gets."""
    job, training = at.job, at.job.training
    plan = _plan(job, range(training.recovery_epochs))
    keeps = recovery(training.recover).keeps_statistics
    plan = replace(
        plan, most_steps=training.recovery_steps, frozen_norms=plan.frozen_norms or keeps
    )
    seed = seeds.derive(job.seed, "subset")
    part = subset_of(at.task, training.train_subset, at.parent, seed, at.execution, at.monitor)
    given = at.parent
    if job.teacher is not None:
        given = at.bench.network(job.teacher, at.places.factory)
    before = job.parent.architecture
    made = replace(before, edits=(*before.edits, job.edit))
    asked = Asked(training.recover, made, job.seed, examples(at.task, 2))
    # The teacher looks at the student as it is, before anything is put in.
    with (
        _taught(model, given, training, at.task, at.execution) as teacher,
        recovering(model, asked),
    ):
        return train(
            model, part, plan, at.execution,
            monitor=at.monitor, phase="recovery", teacher=teacher, is_over=_hopeless(model, at),
        )  # fmt: skip


def _hopeless(model: nn.Module, at: _At) -> Callable[[Epoch], bool] | None:
    """Says halfway through a recovery whether it is to end there."""
    training = at.job.training
    most, num_epochs = training.hopeless, training.recovery_epochs
    if most is None:
        return None
    halfway = math.ceil(num_epochs / 2)

    def is_over(figures: Epoch) -> bool:
        done = figures.epoch + 1
        if done != halfway or done == num_epochs:
            return False
        now = at.evaluate(as_it_is(model, training.recover), "validation", "halfway").accuracy
        below = at.parents_accuracy() - now
        if below <= most:
            return False
        at.monitor.note(
            f"its recovery ends after {done} of {num_epochs} epochs: its validation accuracy is "
            f"{now:.2f} %, {below:.2f} points below its parent's (--hopeless {most:g})"
        )
        return True

    return is_over


@contextmanager
def _taught(
    student: nn.Module,
    network: nn.Module | None,
    training: TrainingSettings,
    task: Task,
    execution: Execution,
) -> Iterator[Teacher | None]:
    """The teacher that the settings ask for. Raises EngineError where a job names none."""
    if training.distill == "none":
        yield None
        return
    if network is None:
        raise EngineError(
            f"--distill {training.distill}: the job names no teacher; an older pe-explore asked "
            "for it, try again"
        )
    features = training.distill.endswith(":features")
    teacher = Teacher(network, student, examples(task, 2), execution, features=features)
    try:
        yield teacher
    finally:
        teacher.close()


def _plan(job: Recover | Tune, epochs: range) -> TrainPlan:
    training = job.training
    plan = plan_of(training, epochs, total_epochs=max(1, training.total_epochs), seed=job.seed)
    return replace(
        plan,
        clip_norm=training.clip_norm,
        own_schedule=recovery(training.recover).own_schedule,
    )


def _ratio_metrics(ratio: LatencyRatio) -> Metrics:
    found = {
        "latency_ratio": ratio.value,
        "latency_ratio_low": ratio.low,
        "latency_ratio_high": ratio.high,
    }
    return {key: value for key, value in found.items() if value is not None}
