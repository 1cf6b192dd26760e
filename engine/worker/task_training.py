"""A network that is to be trained on a person's own task, before its training."""

from __future__ import annotations

from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.checkpoints.new_classifier import is_told_classes, with_classes
from engine.checkpoints.task_fit import check_answers, has_other_classes
from engine.contracts import seeds
from engine.contracts.jobs import Places, TrainFromScratch
from engine.runtime.progress import Monitor
from engine.tasks import Task
from engine.tasks.checking import num_channels, num_classes
from engine.training.from_scratch import Beginning
from engine.worker.root import with_output
from engine.worker.workbench import Workbench


def on_task(
    job: TrainFromScratch, bench: Workbench, places: Places, monitor: Monitor
) -> tuple[Beginning, Task]:
    """Raises CheckpointError, DataError, UnknownFamilyError, ForeignFactoryError."""
    task = bench.persons_task(places, job.reading)
    if places.checkpoint:
        beginning = _from_file(job, task, places, monitor)
    else:
        seed, about = seeds.derive(job.recipe.seed, "weights"), task.describe()
        made = untrained(job.arch, num_classes(about), num_channels(about), seed=seed)
        beginning = Beginning(*with_output(*made, job.output))
    check_answers(beginning.model, task)
    return beginning, task


def _from_file(job: TrainFromScratch, task: Task, places: Places, monitor: Monitor) -> Beginning:
    """The weights of a file, with a new classifier where the task has other classes and the
    network is told how many it has."""
    loaded = load_checkpoint(places.checkpoint, arch=job.arch or None)
    for note in loaded.notes:
        monitor.note(note)
    architecture, model = with_output(loaded.architecture, loaded.model, job.output)
    if is_told_classes(architecture) and has_other_classes(model, task):
        seed = seeds.derive(job.recipe.seed, "weights")
        count = num_classes(task.describe())
        architecture, model, note = with_classes(architecture, model, count, seed)
        monitor.note(note)
    return Beginning(architecture, model, loaded.digest)
