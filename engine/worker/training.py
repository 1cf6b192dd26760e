"""Training a network and writing it as a checkpoint, from random weights or those of a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from engine.checkpoints import LoadedNetwork, normalisation
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.checkpoints.folder_fit import fit_to
from engine.checkpoints.image_fit import check_output, num_outputs
from engine.checkpoints.new_classifier import with_classes
from engine.contracts import seeds
from engine.contracts.jobs import Places, Trained, TrainFromScratch
from engine.contracts.networks import Architecture, Execution
from engine.contracts.references import is_reference
from engine.contracts.short_names import RESNET, short_name
from engine.data import ImageSet
from engine.models import architecture_of_name, build
from engine.models.libraries import Scaling
from engine.models.preparations import OUTPUT, prepare
from engine.runtime import device
from engine.runtime.progress import Monitor
from engine.tasks import image_task
from engine.training.from_scratch import Beginning, train_network
from engine.worker.workbench import Workbench


@dataclass(frozen=True, eq=False)
class _Start:
    beginning: Beginning
    data: ImageSet


def train(
    job: TrainFromScratch,
    execution: Execution,
    bench: Workbench,
    places: Places,
    monitor: Monitor,
) -> Trained:
    """The network of a job, trained and written. Raises EngineError, DataError, CheckpointError."""
    if places.checkpoint:
        loaded = load_checkpoint(places.checkpoint, arch=_reference(job.arch))
        data = bench.images_for(loaded.data, places.data, job.reading, monitor)
        start = _from_file(loaded, job, data, execution, monitor)
    else:
        data = bench.images_for(None, places.data, job.reading, monitor)
        start = _Start(_from_nothing(job, data), data)
    task = image_task(start.data, device.torch_device(execution))
    metrics = train_network(
        start.beginning, task, job.recipe, execution, Path(places.output), monitor=monitor
    )
    return Trained(metrics, start.data.describe(), device.environment_of(execution))


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
    return _of_these_data(Beginning(*_with_output(architecture, model, job.output)), data)


def _from_file(
    loaded: LoadedNetwork,
    job: TrainFromScratch,
    data: ImageSet,
    execution: Execution,
    monitor: Monitor,
) -> _Start:
    """The weights of a file, with a new classifier where the data have other classes."""
    for note in loaded.notes:
        monitor.note(note)
    architecture, model = _with_output(loaded.architecture, loaded.model, job.output)
    if num_outputs(model, data.describe()) in (None, len(data.classes)):
        for note in fit_to(data, loaded):
            monitor.note(note)
        choice = normalisation.choose(loaded, architecture, data, execution, monitor)
        data = data.with_normalisation(choice.mean, choice.std)
        return _Start(Beginning(choice.architecture, choice.model, loaded.digest), data)
    seed = seeds.derive(job.recipe.seed, "weights")
    architecture, model, note = with_classes(architecture, model, len(data.classes), seed)
    monitor.note(note)
    scaling = _scaling_of(loaded, data)
    if scaling is not None:
        data = data.with_normalisation(*scaling)
    return _Start(_of_these_data(Beginning(architecture, model, loaded.digest), data), data)


def _with_output(
    architecture: Architecture, model: nn.Module, output: str | None
) -> tuple[Architecture, nn.Module]:
    if output is None:
        return architecture, model
    done = prepare(model, (OUTPUT + output,))
    return replace(architecture, prepared=(*architecture.prepared, *done)), model


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


def _reference(arch: str) -> str | None:
    """By what a file's network is made, where that was said."""
    return arch if is_reference(arch) else None
