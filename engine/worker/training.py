"""Training a network and writing it as a checkpoint, from random weights or those of a file."""

from __future__ import annotations

from pathlib import Path

from engine.checkpoints import LoadedNetwork, normalisation
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.checkpoints.folder_fit import OtherClassesError, fit_to
from engine.checkpoints.image_fit import check_output, num_outputs
from engine.checkpoints.new_classifier import with_classes
from engine.contracts import seeds
from engine.contracts.jobs import Places, Trained, TrainFromScratch
from engine.contracts.networks import Execution
from engine.contracts.references import is_reference, is_task
from engine.contracts.short_names import RESNET, short_name
from engine.data import ImageSet
from engine.models import architecture_of_name, build
from engine.models.libraries import Scaling
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.tasks import Task, image_task
from engine.training.from_scratch import Beginning, train_network
from engine.worker.root import with_output
from engine.worker.task_training import on_task
from engine.worker.workbench import Workbench


def train(
    job: TrainFromScratch,
    execution: Execution,
    bench: Workbench,
    places: Places,
    monitor: Monitor,
) -> Trained:
    """The network of a job, trained and written. Raises EngineError, DataError, CheckpointError."""
    if is_task(places.data):
        beginning, task = on_task(job, bench, places, monitor)
    else:
        beginning, task = _on_images(job, execution, bench, places, monitor)
    metrics = train_network(
        beginning, task, job.recipe, execution, Path(places.output), monitor=monitor
    )
    return Trained(metrics, task.describe(), device.environment_of(execution))


def _on_images(
    job: TrainFromScratch,
    execution: Execution,
    bench: Workbench,
    places: Places,
    monitor: Monitor,
) -> tuple[Beginning, Task]:
    if places.checkpoint:
        loaded = load_checkpoint(places.checkpoint, arch=job.arch or None)
        data = bench.images_for(loaded.data, places.data, job.reading, monitor)
        beginning, data = _from_file(loaded, job, data, execution, monitor)
    else:
        data = bench.images_for(None, places.data, job.reading, monitor)
        beginning = _from_nothing(job, data)
    return beginning, image_task(data, device.torch_device(execution))


def _from_nothing(job: TrainFromScratch, data: ImageSet) -> Beginning:
    """Random weights, by the seed of the recipe."""
    channels, seed = data.image_shape_HWC[2], seeds.derive(job.recipe.seed, "weights")
    if not is_reference(job.arch):
        told: dict[str, int | str] = {"num_classes": len(data.classes), "in_channels": channels}
        if short_name(job.arch).kind == RESNET:
            told |= {"width": job.width, "shortcut": job.shortcut}
        architecture = architecture_of_name(job.arch, **told)
        model = build(architecture.factory, architecture.arguments, seed=seed)
        beginning = Beginning(architecture, model)
        return beginning if "width" in told else _of_these_data(beginning, data)
    architecture, model = untrained(job.arch, len(data.classes), channels, seed=seed)
    return _of_these_data(Beginning(*with_output(architecture, model, job.output)), data)


def _from_file(
    loaded: LoadedNetwork,
    job: TrainFromScratch,
    data: ImageSet,
    execution: Execution,
    monitor: Monitor,
) -> tuple[Beginning, ImageSet]:
    """The weights of a file, with a new classifier where the data have other classes."""
    for note in loaded.notes:
        monitor.note(note)
    architecture, model = with_output(loaded.architecture, loaded.model, job.output)
    if num_outputs(model, data.describe()) in (None, len(data.classes)):
        for note in _fitted(data, loaded):
            monitor.note(note)
        choice = normalisation.choose(loaded, architecture, data, execution, monitor)
        data = data.with_normalisation(choice.mean, choice.std)
        return Beginning(choice.architecture, choice.model, loaded.digest), data
    seed = seeds.derive(job.recipe.seed, "weights")
    architecture, model, note = with_classes(architecture, model, len(data.classes), seed)
    monitor.note(note)
    scaling = _scaling_of(loaded, data)
    if scaling is not None:
        data = data.with_normalisation(*scaling)
    return _of_these_data(Beginning(architecture, model, loaded.digest), data), data


def _fitted(data: ImageSet, loaded: LoadedNetwork) -> tuple[str, ...]:
    """What is to be told of a network whose classes, if they are others, are to be learnt."""
    try:
        return fit_to(data, loaded)
    except OtherClassesError as error:
        return (f"{str(error).partition(';')[0]}: its classifier begins with theirs",)


def _of_these_data(beginning: Beginning, data: ImageSet) -> Beginning:
    check_output(beginning.model, data.describe())
    return beginning


def _scaling_of(loaded: LoadedNetwork, data: ImageSet) -> Scaling | None:
    """How the images were scaled that a file's weights know; None where nobody says."""
    channels = data.image_shape_HWC[2]
    if loaded.data is not None and len(loaded.data.mean) == channels:
        return loaded.data.mean, loaded.data.std
    named = normalisation.scaling_said(loaded)
    return named if named is not None and len(named[0]) == channels else None
