"""A network for a person's own task."""

from __future__ import annotations

from engine.checkpoints import LoadedNetwork
from engine.checkpoints import load as load_checkpoint
from engine.checkpoints.fitting import untrained
from engine.checkpoints.task_fit import check_answers
from engine.contracts.jobs import OpenRoot, Places
from engine.contracts.networks import DataDescription
from engine.runtime.progress import Monitor
from engine.tasks.checking import num_channels, num_classes
from engine.worker.root import (
    Root,
    check_reference,
    known_architecture,
    network_read,
    prepared,
    untrained_doubt,
)
from engine.worker.workbench import Workbench


def on_task(job: OpenRoot, bench: Workbench, places: Places, monitor: Monitor) -> Root:
    """Raises CheckpointError, DataError, UnknownFamilyError, ForeignFactoryError."""
    task = bench.persons_task(places, job.reading)
    about = task.describe()
    loaded = _network(job, places, about)
    for note in loaded.notes:
        monitor.note(note)
    architecture = known_architecture(loaded)
    monitor.tell(network_read(architecture))
    architecture = prepared(architecture, loaded.model, job.output)
    check_answers(loaded.model, task)
    guesses = untrained_doubt(architecture.factory) if job.untrained else None
    return Root(loaded, loaded.model, architecture, task, about, untrained=guesses)


def _network(job: OpenRoot, places: Places, about: DataDescription) -> LoadedNetwork:
    if not job.untrained:
        return load_checkpoint(places.checkpoint, arch=job.arch, trust_pickle=job.trust_pickle)
    reference = job.arch or ""
    check_reference(reference)
    architecture, model = untrained(reference, num_classes(about), num_channels(about))
    return LoadedNetwork(architecture, model, None, {}, (), "")
