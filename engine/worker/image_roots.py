"""A network for the images that somebody names: its layout and scaling are found on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from engine.checkpoints import LoadedNetwork, normalisation
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.checkpoints.folder_fit import fit_to
from engine.checkpoints.image_fit import check_output
from engine.checkpoints.root_doubts import doubts_on_splits
from engine.contracts.errors import DataNotNamedError, SizesDifferError
from engine.contracts.jobs import OpenRoot, Places
from engine.contracts.networks import Execution
from engine.contracts.references import library_of
from engine.data import ImageSet
from engine.data.sources import KNOWN_NAMES
from engine.models.cifar_resnet import CifarResNet
from engine.models.libraries import sizes_of
from engine.runtime.device import torch_device
from engine.runtime.progress import Monitor
from engine.tasks import image_task
from engine.worker.root import (
    Root,
    check_reference,
    known_architecture,
    network_read,
    prepared,
    untrained_doubt,
)
from engine.worker.workbench import Workbench


def on_images(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Root:
    """Raises CheckpointError, DataError, UnknownFamilyError."""
    return (_untrained if job.untrained else _loaded)(job, execution, bench, places, monitor)


def _loaded(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Root:
    """The network of a checkpoint, in the layout and with the scaling that fit it best."""
    loaded = load_checkpoint(places.checkpoint, arch=job.arch, trust_pickle=job.trust_pickle)
    for note in loaded.notes:
        monitor.note(note)
    architecture = known_architecture(loaded)
    monitor.tell(network_read(architecture))
    named = None if places.data else _data_named_by(loaded)
    with _told_by_the_library(architecture.factory):
        data = bench.images_for(loaded.data, places.data or named or "", job.reading, monitor)
    normalisation.check_fit(architecture, loaded.data, data)
    architecture = prepared(architecture, loaded.model, job.output)
    if not isinstance(loaded.model, CifarResNet):
        fitting = fit_to(data, loaded)
        for note in fitting:
            monitor.note(note)
        loaded = replace(loaded, notes=(*loaded.notes, *fitting))
    choice = normalisation.choose(
        loaded, architecture, data, execution, monitor, said=job.normalisation
    )
    root = _with_choice(loaded, choice, data, execution)
    return replace(root, data_name=named, doubts=(*root.doubts, *choice.doubts))


def _untrained(
    job: OpenRoot, execution: Execution, bench: Workbench, places: Places, monitor: Monitor
) -> Root:
    """A network with random weights, for the classes of the data."""
    reference = job.arch or ""
    check_reference(reference)
    if not places.data:
        raise DataNotNamedError(
            "a network with random weights does not say where its data are; give them with "
            "--data NAME, a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
        )
    with _told_by_the_library(reference):
        data = bench.images_for(None, places.data, job.reading, monitor)
    architecture, model = untrained(reference, len(data.classes), data.image_shape_HWC[2])
    monitor.tell(network_read(architecture))
    architecture = prepared(architecture, model, job.output)
    check_output(model, data.describe())
    loaded = LoadedNetwork(architecture, model, None, {}, (), "")
    choice = normalisation.of_the_data(loaded, architecture, data)
    root = _with_choice(loaded, choice, data, execution)
    return replace(root, untrained=untrained_doubt(reference))


@contextmanager
def _told_by_the_library(reference: str) -> Iterator[None]:
    """Where images need a size, the one that the library's own weights see is told too."""
    try:
        yield
    except SizesDifferError as error:
        sizes = None if library_of(reference) is None else sizes_of(reference)
        if sizes is None:
            raise
        raise SizesDifferError(
            f"{error}. The library's own weights of {reference} see --image-size {sizes[0]} "
            f"--resize {sizes[1]}"
        ) from error


def _with_choice(
    loaded: LoadedNetwork, choice: normalisation.Choice, data: ImageSet, execution: Execution
) -> Root:
    data = data.with_normalisation(choice.mean, choice.std)
    return Root(
        loaded,
        choice.model,
        choice.architecture,
        image_task(data, torch_device(execution)),
        replace(data.describe(), normalisation=choice.name),
        notes=(*data.notes, *choice.notes),
        doubts=doubts_on_splits(data),
    )


def _data_named_by(loaded: LoadedNetwork) -> str:
    """The data that a checkpoint names, where that name alone finds them."""
    name = loaded.data.name if loaded.data is not None else ""
    if name in KNOWN_NAMES:
        return name
    told = f" (it was trained on {name!r})" if name else ""
    raise DataNotNamedError(
        f"the checkpoint does not say where its data are{told}; give them with --data NAME, "
        "a folder or .zip of train/<class>/* and test/<class>/*, or an .npz"
    )
