"""What can be removed from a network that somebody names, without a tree of it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.contracts.errors import EngineError
from engine.contracts.jobs import DescribeStructure, Places, StructureDescribed
from engine.contracts.loaders import AUTO
from engine.contracts.networks import Architecture, Reading
from engine.contracts.references import is_task
from engine.models.cifar_resnet import CifarResNet
from engine.models.preparations import prepare
from engine.pruning.structure import structure_of
from engine.pruning.structure.find import find_structure
from engine.pruning.structure.recording import NETWORK_ERRORS, Example, undisturbed
from engine.runtime.progress import Monitor
from engine.tasks import Inputs, examples, image_task
from engine.tasks.batch import tensors_of
from engine.worker.factories import check_allowed
from engine.worker.workbench import Workbench

EXAMPLES = 2  # images that a network is run on
CLASSES = 10  # of a network that nobody has trained
USUAL_SIZES = (224, 32, 64, 28, 256, 299, 384)  # pixels, of which a network may take one only


def describe(
    job: DescribeStructure, bench: Workbench, places: Places, monitor: Monitor
) -> StructureDescribed:
    """The structure of a job's network. Raises CheckpointError, DataError, EngineError."""
    model = _network(job, places, monitor)
    name = type(model).__name__
    if isinstance(model, CifarResNet):
        channels = model.conv1.in_channels
        return StructureDescribed(name, (channels, 32, 32), structure_of(model))
    prepare(model)
    inputs = _inputs(model, job, bench, places, monitor)
    found = find_structure(model, Example(inputs, job.output), monitor)
    return StructureDescribed(name, tuple(tensors_of(inputs)[0].shape[1:]), found)


def _network(job: DescribeStructure, places: Places, monitor: Monitor) -> nn.Module:
    if places.factory is not None and job.arch is not None:
        check_allowed(Architecture(job.arch), places.factory)
    if job.untrained:
        channels = job.input_shape[0] if job.input_shape else 3
        return untrained(job.arch or "", CLASSES, channels)[1]
    loaded = load_checkpoint(places.checkpoint, arch=job.arch, trust_pickle=job.trust_pickle)
    for note in loaded.notes:
        monitor.note(note)
    return loaded.model


def _inputs(
    model: nn.Module, job: DescribeStructure, bench: Workbench, places: Places, monitor: Monitor
) -> Inputs:
    """What to run a network on: the data that are named, or noise of a shape that it takes."""
    if is_task(places.data):
        return examples(bench.persons_task(places, Reading()), EXAMPLES).inputs
    if places.data:
        task = image_task(bench.images(places.data, Reading(loader=AUTO), monitor))
        return examples(task, EXAMPLES).inputs
    if job.input_shape:
        return _noise(job.input_shape)
    channels = next((m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)), 3)
    for size in USUAL_SIZES:
        images_BCHW = _noise((channels, size, size))
        if _runs(model, images_BCHW):
            return images_BCHW
    raise EngineError(
        f"the network runs on no images of {channels} channels and {_told(USUAL_SIZES)} pixels; "
        "say what it takes with --input CxHxW, such as --input 3x48x48"
    )


def _noise(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(EXAMPLES, *shape, generator=torch.Generator().manual_seed(0))


def _runs(model: nn.Module, images_BCHW: Tensor) -> bool:
    try:
        with undisturbed(model):
            model(images_BCHW[:1])
    except NETWORK_ERRORS:
        return False
    return True


def _told(sizes: Iterable[int]) -> str:
    *first, last = map(str, sizes)
    return f"{', '.join(first)} or {last}"
